"""The cost of training a class, in words."""

from grader.classroom.resources import Resources
from grader.classroom.training_costs import in_words, listed


def hours(*numbers: float) -> dict[str, dict[str, float]]:
    return {f"config{k}": {"hours": number} for k, number in enumerate(numbers)}


def test_hours_are_summed_up_to_what_each_student_may_have():
    found = {"ann": hours(1.0, 0.5), "bob": hours(10.0), "cid": hours(0.2)}
    says = in_words(found, minutes=120, resources=Resources(slots=2, gpus=1)).splitlines()
    assert says[0].startswith(
        "training, by a few steps of each network: 3.7 GPU hours for 3 of 3 submissions (median 90 "
    )
    assert "longest 10.0 hours: bob); with 2 at a time about 2.0 hours" in says[0]  # as long as the longest takes
    assert says[1:] == ["cut off after 120 minutes (--minutes): bob"]


def test_networks_that_can_not_be_trained_are_named():
    found = {"ann": hours(1.0), "bob": {"digits": {"problem": "invalid syntax"}}}
    says = in_words(found, minutes=600, resources=Resources()).splitlines()
    assert "1 hours for 1 of 2" in says[0]
    assert says[1:] == ["can't be trained: bob; the first says: invalid syntax (digits)"]
    assert in_words({"bob": found["bob"]}, 600, Resources()).startswith("can't be trained: bob")


def test_many_names_are_cut_short():
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
