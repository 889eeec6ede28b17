"""Partial credit: what bands give for which value, and what is wrong with those that an instructor types."""

import json
import math
import re

import pytest
from omegaconf import OmegaConf

from assignment.ddpm.errors import UserError
from grader import grading_config
from grader.bands import MEASURES, resolve
from grader.check_ids import check_ids
from grader.grading_config import GRADING, load_grading
from grader.provisional import milestones
from grader.results import VERDICTS, Check, award
from tests.conftest import ROOT

FASHION = load_grading().samples["fashion_mnist"]  # a FID of 14 above real images passes


def bands(check: str, listed: dict, config: str = "digits"):
    return resolve(check, listed, FASHION, config, "here")


def fid(value: float, **more) -> dict:
    return {"fid": value + 0.7, "of_real_images": 0.7, "from_a_denoiser": True, **more}


PART = "{} of the points for an FID {:.2f} above that of real images; at {:g} or less, {}"


@pytest.mark.parametrize(
    ("listed", "value", "share", "says"),
    [  # the limit is 14
        ({10.0: 1.0, 20.0: 0.5}, 9.9, 1.0, "all of the points for an FID 9.90 above that of real images"),
        ({10.0: 1.0, 20.0: 0.5}, 13.0, 0.5, PART.format("50%", 13.00, 10, "all of them")),  # passed
        ({10.0: 1.0, 20.0: 0.5}, 14.2, 0.5, PART.format("50%", 14.20, 10, "all of them")),  # failed
        ({10.0: 1.0, 20.0: 0.5}, 20.1, 0.0, PART.format("none", 20.10, 20, "50%")),
        (
            {20.0: 0.5},
            13.0,
            1.0,
            "all of the points for an FID 13.00 above that of real images",
        ),
        ({20.0: 0.5, 30.0: 0.25}, 19.0, 0.5, PART.format("50%", 19.00, 14, "all of them")),
        ({20.0: 0.5, 30.0: 0.25}, 29.0, 0.25, PART.format("25%", 29.00, 20, "50%")),
        ({5.0: 1.0, 8.0: 0.5}, 9.0, 0.0, PART.format("none", 9.00, 8, "50%")),  # passed, but not by the bands
        ({20.0: 1.0}, 19.0, 1.0, "all of the points for an FID 19.00 above that of real images"),  # failed
    ],
)
def test_a_value_earns_its_band_whatever_the_verdict(listed, value, share, says):
    verdict = "passed" if value <= 14 else "failed"
    check = Check("level1.samples.fid", "A claim.", 0.75, verdict, measurements=fid(value))
    award(check, bands("samples.fid", listed))
    assert (check.share, check.points, check.band["says"]) == (share, 0.75 * share, says)
    assert check.verdict == verdict
    assert (check.band["next"] is None) == (share == 1)
    json.dumps(check.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "measured",
    [
        {}, {"fid": 20.0}, fid(math.nan), fid(math.inf), fid(-math.inf), fid(15.0) | {"fid": "nan"},
        fid(15.0, from_a_denoiser=False), {k: v for k, v in fid(15.0).items() if k != "from_a_denoiser"},
    ],
)  # fmt: skip
def test_only_a_value_of_samples_that_count_earns_anything(measured):
    check = Check("level1.samples.fid", "A claim.", 0.75, "failed", measurements=measured)
    award(check, bands("samples.fid", {50.0: 0.5}))
    assert (check.points, check.band) == (0, None)


@pytest.mark.parametrize("verdict", sorted(set(VERDICTS) - {"passed", "failed"}))
def test_what_was_not_judged_to_the_end_earns_nothing(verdict):
    check = Check("level1.samples.fid", "A claim.", 0.75, verdict, measurements=fid(1.0))
    award(check, bands("samples.fid", {20.0: 0.5}))
    assert (check.points, check.band, check.to_json()["share"]) == (0, None, 0)


def test_classes_that_one_of_them_crowds_out_are_not_counted():
    found = {"found": 9, "most": 0.2, "limit_of_most": 0.3, "from_a_denoiser": True}
    nine = bands("samples.classes", {9.0: 0.5})
    assert nine.award(False, found) == (0.5, nine.award(False, found)[1])
    assert nine.award(False, found)[1]["says"] == "50% of the points for 9 classes found; at 10 or more, all of them"
    assert nine.award(False, found | {"found": 8})[0] == 0
    assert nine.award(False, found | {"most": 0.31}) == (0, None)


def test_the_loss_is_judged_by_its_bound_beside_the_references_milestones():
    recorded = milestones("digits")
    of_loss = bands("loss.beats_reference", {"epoch 50": 0.75, "epoch 20": 0.5, 0.5: 0.1})

    def earns(upper: float) -> tuple[float, str]:
        share, band = of_loss.award(upper < -0.001, {"interval": [upper - 0.02, upper], "relative_difference": -0.9})
        return share, band["says"]

    assert earns(recorded[20])[0] == 0.5 and earns(recorded[20] + 1e-6)[0] == 0.1 and earns(0.51)[0] == 0
    assert earns(recorded[50])[0] == 0.75 and earns(0.0)[0] == 0.75 and earns(-0.002)[0] == 1
    assert earns(0.06)[1] == (
        "50% of the points for a loss at most 6% above the reference's, as good as after its epoch 20; "
        "at 1.71% above the reference's or less (as after its epoch 50), 75%"
    )
    assert earns(0.01)[1].endswith("as good as after its epoch 50; below the reference's, all of them")


def test_without_a_record_there_is_nothing_to_compare_with():
    assert bands("loss.beats_reference", {"epoch 20": 0.5}, "a_data_set_of_my_own") is None


def written(tmp_path, change: dict):
    values = OmegaConf.to_container(OmegaConf.load(GRADING)) | change
    OmegaConf.save(OmegaConf.create(values), tmp_path / "grading.yaml")
    return tmp_path / "grading.yaml"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"mnist": {}}, "bands.mnist: nothing is wanted of samples of such a data set; expected one of digits, fash"),
        ({"digits": {"samples.fit": {20: 0.5}}}, "bands.digits.samples.fit: no such check, or one without a value"),
        ({"digits": {"level1.samples.fid": {20: 0.5}}}, "did you mean samples.fid?"),
        ({"digits": {"samples.denoises": {2: 0.5}}}, "bands.digits.samples.denoises: no such check, or one without"),
        ({"digits": {"step.mean": {2: 0.5}}}, "bands.digits.step.mean: no such check, or one without"),
        ({"digits": {"samples.fid": {20: 1.5}}}, "bands.digits.samples.fid: 20: expected a share of the points from 0"),
        ({"digits": {"samples.fid": {20: -0.5}}}, "expected a share of the points from 0 to 1, got -0.5"),
        ({"digits": {"samples.fid": {20: "half"}}}, "expected a share of the points from 0 to 1, got 'half'"),
        ({"digits": {"samples.fid": {20: math.nan}}}, "expected a share of the points from 0 to 1, got nan"),
        ({"digits": {"samples.fid": {"low": 0.5}}}, "bands.digits.samples.fid: low: expected a number: FID, at most"),
        ({"digits": {"samples.fid": {"epoch 5": 0.5}}}, "bands.digits.samples.fid: epoch 5: expected a number"),
        ({"digits": {"samples.fid": {}}}, "bands.digits.samples.fid: expected values and shares, such as {20: 0.5}"),
        ({"digits": {"samples.fid": 0.5}}, "bands.digits.samples.fid: expected entries below it, got 0.5"),
        ({"digits": {"samples.fid": {10: 0.5, 20: 1.0}}}, "20 is easier to reach than 10, and has to be worth less"),
        ({"digits": {"samples.fid": {30: 0.5, 40: 0.5}}}, "40 is easier to reach than 30, and has to be worth less"),
        ({"digits": {"samples.classes": {8: 0.5, 9: 0.25}}}, "8 is easier to reach than 9, and has to be worth less"),
        ({"digits": {"samples.fid": {20: 0.5}}}, "20 is stricter than what passes (25), which earns all points"),
        ({"digits": []}, "bands.digits: expected entries below it, got []"),
    ],
)
def test_wrong_bands_are_told_in_one_line(typed, says, tmp_path):
    with pytest.raises(UserError, match=re.escape(says)) as raised:
        load_grading(written(tmp_path, {"bands": typed}))
    assert "\n" not in str(raised.value) and "grading.yaml: bands." in str(raised.value)


def test_a_milestone_that_is_not_recorded_is_told_before_anything_is_graded(tmp_path, monkeypatch, capsys):
    file = written(tmp_path, {"bands": {"fashion_mnist": {"loss.beats_reference": {"epoch 999": 0.5}}}})
    monkeypatch.setattr(grading_config, "GRADING", file)
    from grader.__main__ import main

    assert main([str(ROOT / "reference"), "--level", "2", "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and not (tmp_path / "out").exists()
    assert "loss.beats_reference: epoch 999 is not recorded: the reference of fashion_mnist has its loss after" in err


def test_milestones_have_to_be_worth_more_the_later_they_are():
    with pytest.raises(UserError, match="epoch 20 is easier to reach than epoch 50, and has to be worth less"):
        bands("loss.beats_reference", {"epoch 50": 0.5, "epoch 20": 0.75})


def test_the_shipped_bands_are_beyond_what_needs_no_learning():
    """The best linear denoiser's loss is 46 % above the reference's on the digits, 47 on CIFAR-10, 150 elsewhere."""
    grading = load_grading()
    for data, of in grading.bands.items():
        assert of.keys() == {"samples.fid", "samples.classes", "loss.beats_reference"}
        loss = resolve("loss.beats_reference", of["loss.beats_reference"], grading.samples[data], data, "here")
        assert all(0 < band.at < 0.2 for band in loss.bands)


def test_every_measured_check_is_one_that_there_is():
    assert {name.partition(".")[2] for name in check_ids()} >= MEASURES.keys()
