"""A bank of hand-ins: how they are laid out in a class's folder, and the rows that they must become.

A layout is a tree: a dictionary is a folder, or an archive if its name says so; bytes are a file, a Path is a link.
A row is `model.py sampler.py`, the files taken, or `! …`, what the problem says. `M` and `S` are the right files; where
others are taken, the row has their first letter, as in `x:model.py`.
"""

import io
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

M, S, X, Y = b"model", b"sampler", b"x: another one", b"y: one more"
STARTER = b"raise NotImplementedError('a')\nraise NotImplementedError('b')\n"
BOTH = {"model.py": M, "sampler.py": S}
REFERENCE = {"model.py": X, "sampler.py": Y}
CLONE = {
    "README.md": b"", "main.py": b"", "assignment": {**BOTH, "ddpm": {"sampling.py": X}}, "reference": REFERENCE,
    "grader": {"student": {"sampler.py": X, "network.py": X}}, "tests": {"proof": {"model.py": Y}},
    ".git": {"model.py": X}, "venv": {"lib": {"site-packages": {"torch": {"sampler.py": X}}}},
}  # fmt: skip
TOO_LONG = bytes((1 << 20) + 1)
TAKEN = "model.py sampler.py"


@dataclass(frozen=True)
class Broken:
    """An archive that is damaged after it was written."""

    files: dict[str, Any]
    cut: float = 0.5  # how much of it is left
    method: int = zipfile.ZIP_DEFLATED
    swap: tuple[bytes, bytes] = (b"", b"")


@dataclass(frozen=True)
class Raw:
    """A zip with these entries, in this order, whatever their paths."""

    entries: tuple[tuple[str, bytes], ...]


def lay_out(layout: dict[str, Any], folder: Path) -> Path:
    """Write a tree; returns its folder."""
    folder.mkdir(parents=True)
    for name, what in layout.items():
        place = folder / name
        if isinstance(what, Path):
            place.symlink_to(what)
        elif isinstance(what, dict) and not _is_archive(name):
            lay_out(what, place)
        else:
            place.write_bytes(content(name, what))
    return folder


def content(name: str, what: Any) -> bytes:
    """The bytes of a file or of an archive, as its name says."""
    if isinstance(what, bytes):
        return what
    if isinstance(what, Broken):
        whole = content(name, what.files) if what.method == zipfile.ZIP_DEFLATED else _zip(what.files, what.method)
        assert what.swap[0] in whole
        return whole.replace(*what.swap, 1)[: int(len(whole) * what.cut)]
    if isinstance(what, Raw):
        page = io.BytesIO()
        with zipfile.ZipFile(page, "w") as archive:
            for path, source in what.entries:
                info = zipfile.ZipInfo("x")
                info.filename = path
                archive.NameToInfo.clear()  # else it warns of a path that is there twice
                archive.writestr(info, source)
        return page.getvalue()
    return _zip(what) if name.lower().endswith(".zip") else _tar(name, what)


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2"))


def _files(tree: dict[str, Any], above: str = "") -> list[tuple[str, bytes | Path]]:
    found: list[tuple[str, bytes | Path]] = []
    for name, what in tree.items():
        if isinstance(what, dict) and not _is_archive(name):
            found += _files(what, f"{above}{name}/")
        else:
            found.append((above + name, what if isinstance(what, Path) else content(name, what)))
    return found


def _zip(tree: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    page = io.BytesIO()
    with zipfile.ZipFile(page, "w", method) as archive:
        for path, source in _files(tree):
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o120777 if isinstance(source, Path) else 0o100644) << 16
            archive.writestr(info, os.fsencode(source) if isinstance(source, Path) else source, method)
    return page.getvalue()


def _tar(name: str, tree: dict[str, Any]) -> bytes:
    page, kind = io.BytesIO(), name.lower().rpartition(".")[2].replace("tgz", "gz")
    with tarfile.open(fileobj=page, mode="w" if kind == "tar" else f"w:{kind}") as archive:  # type: ignore[call-overload]  # one of three
        for path, source in _files(tree):
            entry = tarfile.TarInfo(f"./{path}")
            if isinstance(source, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(source)
                archive.addfile(entry)
            else:
                entry.size = len(source)
                archive.addfile(entry, io.BytesIO(source))
    return page.getvalue()


HAND_INS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # ---- archives and folders
    "a folder": ({"ann": BOTH}, {"ann": TAKEN}),
    "a zip": ({"ann.zip": BOTH}, {"ann": TAKEN}),
    "a zip in capitals": ({"ann.ZIP": BOTH}, {"ann": TAKEN}),
    "a tar.gz": ({"ann.tar.gz": {"hw": BOTH}}, {"ann": TAKEN}),
    "a tgz": ({"ann.tgz": BOTH}, {"ann": TAKEN}),
    "a tar": ({"ann.tar": BOTH}, {"ann": TAKEN}),
    "a tar.xz": ({"ann.tar.xz": BOTH}, {"ann": TAKEN}),
    "a tar.bz2": ({"ann.tar.bz2": BOTH}, {"ann": TAKEN}),
    "a tar.gz that is called zip": ({"ann.zip": content("ann.tgz", BOTH)}, {"ann": TAKEN}),
    "packed by bzip2": (
        {"ann.zip": content("ann.zip", Broken(BOTH, 1, zipfile.ZIP_BZIP2))},
        {"ann": "! model.py can't be read (packed by neither Deflate nor LZMA; pack it as an ordinary zip)"},
    ),
    "packed with a password": (
        {"ann.zip": Broken({"model.py": M}, 1, swap=(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"))},
        {"ann": "! model.py can't be read (it needs a password; pack it without)"},
    ),
    "a zip that is called model.py": (
        {"ann": {"model.py": content("a.zip", BOTH)}},
        {"ann": "! model.py is an archive or document by its content; hand in the Python file itself"},
    ),
    "a zip within a folder": ({"ann": {"hw.zip": {"project": BOTH}}}, {"ann": TAKEN}),
    "a zip within a zip": ({"ann.zip": {"hw.zip": BOTH}}, {"ann": TAKEN}),
    "a tar.gz within a zip": ({"ann.zip": {"hw.tar.gz": BOTH}}, {"ann": TAKEN}),
    "each file in a zip of its own": ({"ann": {"a.zip": {"model.py": M}, "b.zip": {"sampler.py": S}}}, {"ann": TAKEN}),
    "deep inside": ({"ann.zip": {"Users": {"ann": {"uni": {"ddpm": {"hw": BOTH}}}}}}, {"ann": TAKEN}),
    "one file only": ({"ann": {"sampler.py": S}}, {"ann": "sampler.py"}),
    "7z": ({"ann.7z": b"7z\xbc\xaf'\x1c"}, {"ann": "! ann.7z can't be opened (it is a 7z archive); hand in the two"}),
    "rar": ({"ann.rar": b"Rar!\x1a\x07"}, {"ann": "! ann.rar can't be opened (it is a RAR archive)"}),
    "rar that is called zip": (
        {"ann.zip": b"Rar!\x1a\x07"},
        {"ann": "! ann.zip can't be opened (it is a RAR archive)"},
    ),
    "rar within a folder": ({"ann": {"hw.rar": b"Rar!"}}, {"ann": "! hw.rar can't be opened"}),
    "half of it in a rar": (
        {"ann": {"model.py": M, "s.rar": b"Rar!"}},
        {"ann": "! found model.py but no sampler.py, and"},
    ),
    "a rar beside all of it": ({"ann": {**BOTH, "old.rar": b"Rar!"}}, {"ann": TAKEN}),
    # ---- names of files
    "Model.py": ({"ann": {"Model.py": M, "SAMPLER.PY": S}}, {"ann": TAKEN}),
    "model (1).py": ({"ann.zip": {"model (1).py": M, "sampler(2).py": S}}, {"ann": TAKEN}),
    "model-1.py": ({"ann": {"model-1.py": M, "sampler copy.py": S}}, {"ann": TAKEN}),
    "names of LMS": ({"ann": {"model (copy).py": M, "sampler_1_.py": S}}, {"ann": TAKEN}),
    "copy of": ({"ann": {"Copy of model.py": M, "sampler - Copy (2).py": S}}, {"ann": TAKEN}),
    ".py.txt": ({"ann": {"model.py.txt": M, "sampler.py.txt": S}}, {"ann": TAKEN}),
    "a notebook": (
        {"ann": {"hw.ipynb": b"{}"}},
        {"ann": "! only hw.ipynb; copy the notebook's code into model.py and"},
    ),
    "a notebook beside it": ({"ann": {"model.py": M, "hw.ipynb": b"{}"}}, {"ann": "model.py"}),
    "a loose notebook": ({"ann.ipynb": b"{}"}, {"ann": "! only ann.ipynb"}),
    "names of one's own": ({"ann": {"my_net.py": M}}, {"ann": "! only my_net.py; give the right file its name"}),
    "a folder called model.py": ({"ann": {"model.py": {"model.py": M}}}, {"ann": "model.py"}),
    "nothing in it": ({"ann": {}}, {"ann": "! expected model.py or sampler.py, found neither; hand in the two files"}),
    "only a report": ({"ann": {"report.pdf": b""}}, {"ann": "! found neither, only report.pdf"}),
    # ---- the course's own files, and several of one name
    "a clone": ({"ann": CLONE}, {"ann": TAKEN}),
    "a zip of a clone": ({"ann.zip": {"no-confusion-diffusion-main": CLONE}}, {"ann": TAKEN}),
    "a zip of a clone within a folder": ({"ann": {"x.zip": {"hw": CLONE}, "notes.txt": b""}}, {"ann": TAKEN}),
    "a clone without answers": ({"ann": {**CLONE, "assignment": {"ddpm": {}}}}, {"ann": "! found neither"}),
    "only the reference": (
        {"ann": {"reference": REFERENCE}},
        {"ann": "! reference/model.py, reference/sampler.py; reference/ is the course's, so put your own into assignm"},
    ),
    "the reference beside": ({"ann": {"model.py": M, "reference": REFERENCE}}, {"ann": "model.py"}),
    "a clone, and experiments": ({"ann": {**CLONE, "old": {"model.py": X}}}, {"ann": TAKEN}),
    "a clone with the starter": (
        {"ann.zip": {**CLONE, "assignment": {"model.py": STARTER, "sampler.py": S}, "mine": {"model.py": M}}},
        {"ann": TAKEN},
    ),
    "only the starter": ({"ann": {"model.py": STARTER}}, {"ann": "r:model.py"}),
    "twice the same": ({"ann": {**BOTH, "backup": BOTH}}, {"ann": TAKEN}),
    "twice, and different": (
        {"ann": {"a": {"model.py": M}, "b": {"model.py": X}}},
        {"ann": "! a/model.py and b/model.py"},
    ),
    "twice the same, once from Windows": (
        {"ann": {"a": {"model.py": b"1\n2\n"}, "b": {"model.py": b"\xef\xbb\xbf1\r\n2\r\n"}}}, {"ann": "1:model.py"},
    ),
    "an empty file beside it": ({"ann": {"model.py": b"\n", "hw": BOTH}}, {"ann": TAKEN}),
    "two versions": (
        {"ann.zip": {"model.py": M, "model (1).py": X}},
        {"ann": "! model.py and model (1).py, which differ"},
    ),
    "two of one path": ({"ann.zip": Raw((("model.py", M), ("model.py", X)))}, {"ann": "! model.py is there 2 times"}),
    "junk": (
        {"ann": {**BOTH, "__MACOSX": {"model.py": X}, ".ipynb_checkpoints": {"model.py": X}, "._sampler.py": X,
                 "env": {"lib": {"site-packages": {"x": {"sampler.py": X}}}}}},
        {"ann": TAKEN},
    ),
    # ---- as platforms export it
    "Canvas": (
        {"leeann_115_5015_model.py": M, "leeann_115_5016_sampler.py": S, "wubob_LATE_12_5017_hw.zip": BOTH,
         "elieve_7_5018_model-1.py": M, "danlo_8_5019_report.pdf": b""},
        {"leeann_115": TAKEN, "wubob_12": TAKEN, "elieve_7": "model.py", "danlo_8": "! only danlo_8_5019_report.pdf"},
    ),
    "typed into Canvas": (
        {"leeann_115_text.html": b"", "leeann_115_5015_model.py": M, "wubob_LATE_12_link.html": b""},
        {"leeann_115": "model.py", "wubob_12": "! only wubob_LATE_12_link.html"},
    ),
    "two zips of one student on Canvas": (
        {"mayzhu_31_6015_hw.zip": BOTH, "mayzhu_31_6016_hw.zip": REFERENCE,
         "noraek_32_6017_a.zip": {"model.py": M}, "noraek_32_6018_b.zip": {"sampler.py": S}},
        {"mayzhu_31": "! model.py is there 2 times", "noraek_32": TAKEN},
    ),
    "Canvas, without names": (
        {"anon_a1B2c_5015_model.py": M, "anon_a1B2c_5016_sampler.py": S, "anon_LATE_A1b2C_5017_hw.zip": REFERENCE},
        {"anon_a1B2c": TAKEN, "anon_A1b2C": "x:model.py y:sampler.py"},
    ),
    "Moodle": (
        {"Ann Lee_12_assignsubmission_file": {"hw.zip": BOTH},
         "Ann Lee_12_assignsubmission_onlinetext": {"t.html": b""},
         "Bob Wu_13_assignsubmission_file_": BOTH, "Eve_14_assignsubmission_file_model.py": M},
        {"Ann Lee_12": TAKEN, "Bob Wu_13": TAKEN, "Eve_14": "model.py"},
    ),
    "Blackboard": (
        {"HW_ann_attempt_2026-11-25-10-00-00_model.py": M, "HW_ann_attempt_2026-11-25-10-00-00_sampler.py": S},
        {"HW_ann_attempt_2026-11-25-10-00-00": TAKEN},
    ),
    "zips on Blackboard": (
        {"HW 1_ann_attempt_2026-11-25-10-00-00.txt": b"", "HW 1_ann_attempt_2026-11-25-10-00-00_submission.zip": BOTH,
         "HW 1_bob_attempt_2026-11-25-10-00-01.txt": b"", "HW 1_bob_attempt_2026-11-25-10-00-01_model.py": M,
         "HW 1_bob_attempt_2026-11-25-10-00-01_the rest.tar.gz": {"sampler.py": S},
         "HW 1_cid_attempt_2026-11-25-10-00-02_notes.html": b"", "HW 1_dan_attempt_2026-11-25-10-00-03.txt": b""},
        {"HW 1_ann_attempt_2026-11-25-10-00-00": TAKEN, "HW 1_bob_attempt_2026-11-25-10-00-01": TAKEN,
         "HW 1_cid_attempt_2026-11-25-10-00-02": "! found neither, only HW 1_cid_attempt",
         "HW 1_dan_attempt_2026-11-25-10-00-03": "! found neither, only HW 1_dan_attempt"},
    ),
    "loose files": (
        {"ann_model.py": M, "ann_sampler.py": S, "bob-model.py": M, "cid.py": M},
        {"ann": TAKEN, "bob": "model.py", "cid": "! only cid.py"},
    ),
    "a loose file of nobody": ({"ann": BOTH, "model.py": M}, {"ann": TAKEN, "model": "! model.py is nobody's"}),
    "dates are no numbers of Canvas": (
        {"hw_2026_11_ann.zip": BOTH, "hw_1_2_bob.zip": REFERENCE, "hw_1_2_cid.zip": BOTH},
        {"hw_2026_11_ann": TAKEN, "hw_1_2_bob": "x:model.py y:sampler.py", "hw_1_2_cid": TAKEN},
    ),
    "a folder and a zip of the same": ({"ann": BOTH, "ann.zip": BOTH}, {"ann": TAKEN}),
    "a folder and another zip": ({"ann": BOTH, "ann.zip": REFERENCE}, {"ann": "! ann.zip/model.py and ann/model.py"}),
    "names that are ours": ({"class.csv": BOTH, "jobs": BOTH, ".lock.zip": BOTH}, {"class.csv": TAKEN, "jobs": TAKEN}),
    "names that differ in case": ({"Ann": BOTH, "ann": REFERENCE}, {"Ann": TAKEN, "ann": "x:model.py y:sampler.py"}),
    "the wrong format": ({"ann.txt": b"", "bob.pdf": b""}, {"ann": "! only ann.txt", "bob": "! only bob.pdf"}),
    "a link to itself": ({"ann": Path("ann"), "bob": BOTH}, {"ann": "! found neither, only ann", "bob": TAKEN}),
    "lists of the platform": ({"ann": BOTH, "grades.csv": b"", "index.html": b""}, {"ann": TAKEN}),
    # ---- hostile and damaged
    "./ in a zip": ({"ann.zip": Raw((("./model.py", M), ("a//sampler.py", S)))}, {"ann": TAKEN}),
    "backslashes in a zip": ({"ann.zip": Raw((("hw\\model.py", M),))}, {"ann": "model.py"}),
    "paths that lead out": (
        {"ann.zip": Raw((("../../model.py", M),))},
        {"ann": "! only ../../model.py; their paths lead out of the archive, so pack the folder that they lie in"},
    ),
    "absolute paths": (
        {"ann.zip": Raw((("/etc/model.py", M),))},
        {"ann": "! only etc/model.py; their paths lead out of the archive"},
    ),
    "an entry without a name": ({"ann.zip": Raw((("", b""), ("model.py", M), ("\n", b"")))}, {"ann": "model.py"}),
    "a link": ({"ann": {"model.py": Path("/etc/hostname")}}, {"ann": "! model.py is a symbolic link"}),
    "a link in a tar": ({"ann.tar": {"model.py": Path("/etc/hostname")}}, {"ann": "! model.py is a link"}),
    "a link in a zip": ({"ann.zip": {"model.py": Path("/etc/hostname")}}, {"ann": "! model.py is a link"}),
    "a link to a folder": ({"ann": {"sub": Path("/etc"), "model.py": M}}, {"ann": "model.py"}),
    "a link to somebody else's": (
        {"ann": BOTH, "bob": Path("ann")},
        {"ann": TAKEN, "bob": "! bob is a link to another hand-in: put the work itself there"},
    ),
    "a link that leads nowhere": ({"ann": Path("/nowhere")}, {"ann": "! found neither, only ann"}),
    "too long": ({"ann": {"model.py": TOO_LONG}}, {"ann": "! model.py has 1,048,577 bytes"}),
    "too long, in a zip": ({"ann.zip": {"model.py": TOO_LONG}}, {"ann": "! model.py has more than 1,048,576 bytes"}),
    "too long, in a tar": ({"ann.tgz": {"model.py": TOO_LONG}}, {"ann": "! model.py has more than 1,048,576 bytes"}),
    "a damaged archive within another": (
        {"ann.zip": {"a.zip": Path("/etc/hostname"), "b.zip": b"PK", "hw": BOTH}, "bob": {"a.zip": Path("x"), **BOTH}},
        {"ann": TAKEN, "bob": TAKEN},
    ),
    "a zip cut off": ({"ann.zip": Broken(BOTH)}, {"ann": "! ann.zip can't be opened"}),
    "a tar cut off": ({"ann.tar.gz": Broken(BOTH)}, {"ann": "! ann.tar.gz can't be opened"}),
    "a tar.gz without its checksum": (
        {"ann.tgz": Broken(BOTH, 0.97)},
        {"ann": "! ann.tgz can't be opened (Compressed file ended before the end-of-stream marker was reached)"},
    ),
    "no zip at all": ({"ann.zip": b"hello"}, {"ann": "! ann.zip can't be opened (File is not a zip file)"}),
    "an empty zip": ({"ann.zip": b""}, {"ann": "! ann.zip can't be opened"}),
    "a wrong checksum": (
        {"ann.zip": Broken(BOTH, 1, zipfile.ZIP_STORED, (b"model\x50", b"medal\x50"))},
        {"ann": "! model.py can't be read (Bad CRC-32"},
    ),
    "damaged LZMA": (
        {"ann.zip": Broken(BOTH, 1, zipfile.ZIP_LZMA, (b"\x5d\0\0\x80\0", b"\xff\0\0\x80\0"))},
        {"ann": "! model.py can't be read"},
    ),
    "a hundred models": (
        {"ann.zip": {str(k): {"model.py": b"%d" % k} for k in range(100)}},
        {"ann": "! model.py is there more than 64 times"},
    ),
    "too many files": (
        {"ann.zip": Raw(tuple((f"e/{k}", b"") for k in range(100_001))), "bob": BOTH},
        {"ann": "! there are more than 100,000 files", "bob": TAKEN},
    ),
    "a name that would forge a row": ({"ann\nbob,40": BOTH}, {"ann\ufffdbob,40": TAKEN}),
    "names that differ in what is not shown": (
        {"ann\n": BOTH, "ann\r": REFERENCE}, {"ann\ufffd": TAKEN, "ann\ufffd (2)": "x:model.py y:sampler.py"},
    ),
}  # fmt: skip
