"""The tables of docs/evidence.md, generated from sample-limits.json: sets of images, and how the limits judge them."""

from tests.bench.results import load, where

KINDS_OF_SETS = {"control": "controls made of real images", "public": "public grids", "drawn": "drawn by ourselves"}
MEANT = {"yes": True, "no": False, "partly": None}


def verdicts() -> str:
    """How many sets of each kind pass, by a person's verdict."""
    result = load("sample-limits.json")
    if result is None:
        return "Not yet measured."
    lines = ["| sets of images | recognizable: pass | partly: pass | not: pass |", "|---|---:|---:|---:|"]
    for data in result["limits"]:
        for kind, title in KINDS_OF_SETS.items():
            mine = [row for row in result["sets"] if (row["data"], row["kind"]) == (data, kind)]
            cells = []
            for looks in ("yes", "partly", "no"):
                of = [row for row in mine if row["looks"] == looks]
                cells.append(f"{sum(row['passes'] > 0.5 for row in of)} of {len(of)}" if of else "–")
            if mine:
                lines.append(f"| {data}, {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def exceptions() -> str:
    """Sets whose verdict differs from a person's, on a CPU or on a GPU."""
    result = load("sample-limits.json") or {"sets": []}
    lines = []
    for row in result["sets"]:
        for at in (row, *([row["gpu"]] if "gpu" in row else ())):
            passes = at["passes"] > 0.5
            if MEANT[row["looks"]] not in (None, passes):
                why = f"fails {', '.join(at['failed'])}" if at["failed"] else "passes"
                lines.append(f"- {row['data']}, {row['name']} ({row['looks']}, {at['n']} images): {why}")
    return "\n".join(lines) or "None."


def gaps() -> str:
    """The sets between which each limit lies."""
    result = load("sample-limits.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| data set | measure | limit | worst of what is recognizable | best of what is not, and fails by it "
        "| caught by it alone |",
        "|---|---|---:|---|---|---:|",
    ]
    for data, limits in result["limits"].items():
        mine = [row for row in result["sets"] if row["data"] == data]
        good = [row for row in mine if row["looks"] == "yes" and row["passes"] > 0.5]
        for claim, key, limit, sign in (
            ("fid", "fid_above_real", limits["above_real"], 1),
            ("recognizable", "confidence_of_real", limits["confidence"], -1),
            ("clean", "damaged", limits["damaged"], 1), ("new", "copies", limits["copies"], 1),
            ("classes", "commonest", limits["commonest_class"], 1), ("classes", "rarest", limits["rarest_class"], -1),
        ):  # fmt: skip
            judged = [row for row in good if claim != "classes" or row["n"] >= 100]
            bad = [row for row in mine if row["looks"] == "no" and sign * (row[key] - limit) > 0]
            alone = sum(row["failed"] == [claim] for row in mine if row["looks"] == "no")
            worst = max(judged, key=lambda row: sign * row[key])
            best = min(bad, key=lambda row: sign * row[key], default=None)
            last = f"{best[key]:.3g} ({best['name']})" if best else "–"
            first, name = f"{worst[key]:.3g} ({worst['name']})", key.replace("_", " ")
            lines.append(f"| {data} | {name} | {limit:g} | {first} | {last} | {alone} |")
    return "\n".join(lines)


def false_fails() -> str:
    result = load("sample-limits.json") or {"real_images": {}}
    lines = [
        "| real images | number | draws | failed anything | with 95 % confidence fewer than |",
        "|---|---:|---:|---:|---:|",
    ]
    for data, rows in result["real_images"].items():
        lines += [f"| {data} | {r['n']:,} | {r['draws']} | {r['failed']} | {r['below']:.1%} |" for r in rows]
    return "\n".join(lines)


def fashion_sets() -> str:
    return table_of_sets("fashion_mnist")


def cifar_sets() -> str:
    return table_of_sets("cifar10")


def table_of_sets(data: str) -> str:
    """Every set of a data set with its figures; verdicts that differ from a person's are in bold."""
    result = load("sample-limits.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| set | images | a person | FID above real | confidence, of real | rarest … commonest class | damaged "
        "| copies | fails | passes on a CPU | on a GPU |",
        "|---|---:|---|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for row in result["sets"]:
        if row["data"] != data:
            continue
        ends = []
        for at in (row, row.get("gpu")):
            if at is None:
                ends.append("")
                continue
            says = f"{at['passes']:.0%}" if 0 < at["passes"] < 1 else "yes" if at["passes"] == 1 else "no"
            wrong = MEANT[row["looks"]] not in (None, at["passes"] > 0.5)
            ends.append(f"**{says}**" if wrong else says)
        cells = [
            row["name"], str(row["n"]), row["looks"],
            f"{row['fid_above_real']:.1f}", f"{row['confidence_of_real']:.2f}",
            f"{row['rarest']:.1%} … {row['commonest']:.0%}", f"{row['damaged']:.0%}", f"{row['copies']:.0%}",
            ", ".join(row["failed"]) or "–", *ends,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", where(result)])
