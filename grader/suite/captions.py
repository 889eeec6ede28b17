"""What stands under a picture in the report, for who has never seen one like it."""

from grader.grading_config import Drawing

SAMPLES = (
    "Left: what your trained network drew, starting from noise. Right: real images, for comparison. Nothing is picked "
    "out: these are the first ones drawn."
)
LOSS_BY_T = (
    "Each bar is a range of timesteps. Down and green: your network predicts the noise better there than the "
    "reference does; up and red: worse. The thin lines are the uncertainty. At small t an image has little noise and "
    "details count; at large t it is nearly pure noise and only its rough shape is left."
)
CURVE = (
    "How wrong the predicted noise is, after each epoch; lower is better. Grey is measured on the images trained on, "
    "blue on others that the training never sees; the star marks the weights that were kept."
)
REFERENCE_CURVE = " Green: where the reference stood after as many epochs, measured with other noise{caveat}."
STEPS = (
    "One sampling, step by step. A right sampler stays below the dashed lines at every t; where a line lies above its "
    "limit, look at that step. Values below 0.01 % are drawn at 0.01 %."
)
FEW_STEPS = (
    "How far the images drawn by your trained network are from real ones, as a crowd, by how many times the network is "
    "asked for each; lower is better. Drawn with the reference samplers; no points."
)
GUIDED = (
    "A row for each class that was wished for. Left, at w = 0, the label is not used, so that any class comes; in the "
    "middle, at w = 1, it is; right, with more guidance, images are more surely of their class, and more alike. All "
    "three begin with the same noise. Drawn with the reference sampler and guidance."
)


def drawn(drawing: Drawing) -> str:
    """How the samples of a picture were drawn."""
    return f"{SAMPLES} Drawn in {drawing.steps} steps, with the reference sampler."
