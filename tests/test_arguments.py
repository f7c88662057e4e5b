"""Sentences that name arguments, as users of the classes and of the commands read them."""

import pickle
from argparse import Namespace

import pytest

import wm_lightning
from wm_lightning.errors import ArgumentError, UserError, naming, with_flags

TOO_FEW = ArgumentError("{depth}={} must be at least {}; set {max_depth}=none.", 1, 3)


def test_a_user_of_the_classes_reads_names_of_arguments():
    assert str(TOO_FEW) == "depth=1 must be at least 3; set max_depth=none."
    assert wm_lightning.ArgumentError is ArgumentError
    with pytest.raises(UserError):
        raise TOO_FEW
    with pytest.raises(ValueError, match=r"^depth=1 must"):
        raise TOO_FEW


def test_other_names_take_their_places():
    assert TOO_FEW.worded({"depth": "model.depth", "max_depth": "max_depth"}.get) == (
        "model.depth=1 must be at least 3; set max_depth=none."
    )


def test_whose_argument_it_is_is_told_to_commands_alone():
    error = ArgumentError("Lower {optimizer.lr}=1.")
    assert str(error) == "Lower lr=1."
    assert error.worded(str.upper) == "Lower OPTIMIZER.LR=1."
    assert with_flags(error, {"lr"}) == "Lower --lr 1."
    assert with_flags(error, ()) == "Lower lr=1."


def test_a_refusal_of_others_code_is_named_and_one_with_a_name_is_left_as_it_is():
    with pytest.raises(ArgumentError, match=r"^scheduler: too few$"), naming("scheduler"):
        raise TypeError("too few")
    with pytest.raises(ArgumentError, match=r"^depth=1 must"), naming("scheduler"):
        raise TOO_FEW


def test_values_are_never_taken_for_names():
    error = ArgumentError("{root}={} is no folder, but {}.", "/a/{depth}/{}", "{root}=")
    assert str(error) == "root=/a/{depth}/{} is no folder, but {root}=."
    assert error.worded(str.upper) == "ROOT=/a/{depth}/{} is no folder, but {root}=."


def test_it_comes_whole_from_another_process():
    again = pickle.loads(pickle.dumps(TOO_FEW))
    assert type(again) is ArgumentError
    assert again.worded(str.upper) == "DEPTH=1 must be at least 3; set MAX_DEPTH=none."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TOO_FEW, "--depth 1 must be at least 3; set --max-depth none."),
        (ArgumentError("{path}={} must end in .onnx.", "a.txt"), "-o a.txt must end in .onnx."),
        (ArgumentError("{size}={} is too small.", 1), "size=1 is too small."),
        (UserError("There is no {depth}."), "There is no {depth}."),
    ],
)
def test_a_command_that_has_such_flags_names_them(error, sentence):
    assert with_flags(error, vars(Namespace(depth=1, max_depth=2)), path="-o") == sentence
