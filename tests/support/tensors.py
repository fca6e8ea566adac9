"""Functions of tensors, evaluated without compiling."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

# PyTensor's own interpreter, inner graphs unfolded: nothing is compiled.
PLAIN = Mode(linker="py", optimizer=None).including("inline_ofg_expansion")


def evaluate(function, *values):
    """Call a function on tensors, and evaluate what it returns at the values."""
    inputs = [pt.as_tensor(value, dtype="float64").type() for value in values]
    run = pytensor.function(inputs, function(*inputs), mode=PLAIN, on_unused_input="ignore")
    return run(*(np.asarray(value, dtype=float) for value in values))
