import shutil

import pytest

CASES = [
    (["loss.alfa=1"], "loss.alfa: there is no such key; did you mean loss.alpha?"),
    (["+loss.foo=3"], "loss.foo: there is no such option of loss"),
    (["loss.alpha=abc"], "loss.alpha='abc' does not fit"),
    (["loss.alpha=-1"], "error: loss.alpha=-1 must not be negative"),
    (["model=unett"], "Could not find 'model/unett'; did you mean unet? Available options in 'model': dncnn"),
    (["debug=fst"], "Could not find 'debug/fst'; did you mean fast?"),
    (
        ["data.root=/x", "model=unet"],
        "data.root: data=demo has no root; add data=folder or data=paired or data=streaming or data=streaming_pairs.",
    ),
    (["model=dncnn", "model.attention=sdpa"], "model.attention: model=dncnn has no attention; add model="),
    (
        ["experiment=watermarkcnn", "optim.scheduler.warm_up=1"],
        "optim=watermarkcnn has no scheduler.warm_up; add",
    ),
    (["model.attention=both"], "model.attention='both' does not fit: input should be 'gate' or 'sdpa'"),
    (["data=folder"], "data.root is not set"),
    (["data=folder", "data.root=/nowhere"], "data.root=/nowhere is not a folder"),
    (["data=paired"], "data.root is not set"),
    (["data=paired", "data.root=/nowhere"], "data.root=/nowhere is not a folder; give the folder that holds the pairs"),
    (["data=paired", "data.root=.", "data.layout=lvw"], "has no folder train/image, val/image or test/image"),
    (["data=paired", "data.root=.", "data.layout=lwv"], "input should be 'clwd', 'lvw', 'logo' or 'plain'"),
    (["data=paired", "data.root=.", "data.target=reference"], "data.target=reference is a second watermarked view"),
    (["data=paired", "data.root=.", "data.val_fraction=1"], "error: data.val_fraction=1 must lie between 0 and 1."),
    (["data.target=both"], "data.target='both' does not fit: input should be 'reference' or 'clean'"),
    (["data.batch_size=0"], "data.batch_size=0 must be at least 1"),
    (["data.fractions=[0.5,0.1,0.1]"], "data.fractions=[0.5, 0.1, 0.1]"),
    (["trainer.max_epochs=x"], "trainer.max_epochs='x' does not fit"),
    (["trainer.precision=17"], "trainer.precision=17 is not one of auto, 32-true, 16-mixed, bf16-mixed"),
    (["trainer.precision=16-true"], "trainer.precision=16-true is not one of auto, 32-true, 16-mixed, bf16-mixed"),
    (["trainer.precision=64-true"], "trainer.precision=64-true is not one of auto"),
    (["trainer.precision=bf16-true"], "trainer.precision=bf16-true is not one of auto"),
    (["trainer.precision=64"], "trainer.precision=64 is not one of auto"),
    (["trainer.accelerator=abacus"], "invalid accelerator name"),
    (["synthesis.sampler.opacity=[2,3]"], "synthesis.sampler.opacity=[2,3] must lie within 0.01..1"),
    (["synthesis.fonts=[/nowhere.ttf]"], "synthesis.fonts: there is no /nowhere.ttf"),
    (["synthesis.logos=/nowhere"], "synthesis.logos=/nowhere is not a folder"),
    (["synthesis.sampler.kinds.texts=1"], "synthesis.sampler.kinds.texts: there is no such key"),
    (
        ["synthesis.degradation.jpeg_quality=[0,200]"],
        "synthesis.degradation.jpeg_quality=[0,200] must lie within 1..100",
    ),
    (["seed=abc"], "seed='abc' does not fit"),
    (["objective.metric=val/psnrr"], "objective.metric=val/psnrr is not measured. Did you mean val/psnr?"),
    (["ckpt_path=/nowhere.ckpt"], "There is no checkpoint /nowhere.ckpt"),
    (["loss.alpha=0.3", "loss.terms.perceptual.weights=/nowhere.pth"], "there is no file /nowhere.pth"),
    (["loss.alpha=0.3", "loss.terms.perceptual.reduce=0"], "error: loss.terms.perceptual.reduce=0 must be at least 1."),
    (["loss.terms.mask.weight=-1"], "error: loss.terms.mask.weight=-1 must not be negative; 0 switches the term off."),
    (["loss.terms.mask.wight=1"], "loss.terms.mask.wight: there is no such key; did you mean loss.terms.mask.weight?"),
    (["+loss.terms.mine={_target_: no.such.Term}"], "loss.terms.mine._target_=no.such.Term cannot be imported"),
    (["loss=watermarkcnn", "~loss.terms.lab"], "loss.beta=0.3 needs a term loss.terms.lab"),
    (["loss=layer"], "Could not find 'loss/layer'"),
    (["augment.after_crop.0.p=7"], "should be less than or equal to 1"),
    (
        ["optim=adamw_onecycle", "optim.scheduler.pct_start=2", "loss.alpha=0"],
        "error: optim.scheduler: Expected float between 0 and 1",
    ),
    (["trainer.limit_val_batches=0"], "trainer.limit_val_batches=0 leaves nothing"),
    (["trainer.max_epochs=-1"], "trainer.max_epochs=-1 must be at least 1"),
    (["trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches=0 must be at least 1"),
    (
        ["optim=watermarkcnn", "trainer.max_epochs=1", "loss.alpha=0"],
        "error: optim.scheduler.epochs=2 of warm-up must lie within the run's 1 epochs.",
    ),
    (["callbacks.best_checkpoint.monitor=val/psnrr", "loss.alpha=0"], "callbacks.best_checkpoint.monitor=val/psnrr"),
    (["average.decay=2", "loss.alpha=0"], "average.decay=2 must be at least 0 and below 1"),
    (["callbacks=ema"], "Could not find 'callbacks/ema'"),
    (["callbacks.first_look.pictures=0", "loss.alpha=0"], "callbacks.first_look.pictures=0 must be at least 1"),
    (["trainer.check_val_every_n_epoch=3", "trainer.max_epochs=2"], "there is no such key"),
    (["+trainer.check_val_every_n_epoch=3", "trainer.max_epochs=2"], "trainer.check_val_every_n_epoch=3 is more than"),
    (["compile=fast"], "compile=fast is not one of null, default, reduce-overhead, max-autotune"),
    (["debug=slow"], "Could not find 'debug/slow'"),
    (["loss"], "Error parsing override 'loss'"),
]


@pytest.mark.parametrize(("overrides", "sentence"), CASES, ids=lambda value: "+".join(value) if value is list else None)
def test_what_the_user_can_put_right_is_one_sentence(command, overrides, sentence):
    outcome = command("train", *overrides, "hydra.run.dir=run")
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
    assert "Traceback" not in outcome.err
    assert "Error executing" not in outcome.err  # what was typed, once more, by Hydra


@pytest.mark.parametrize(
    ("key", "added"),
    [
        ("loss.alfa", False),
        ("loss.terms.mask.wight", False),
        ("synthesis.sampler.kinds.texts", False),
        ("sede", False),
        ("trainer.max_tme", False),
        ("trainer.check_val_every_n_epoch", True),
        ("callbacks.mine", True),
        ("loss.terms.mine", True),
    ],
)
def test_a_key_is_offered_to_be_added_where_that_has_a_use(command, key, added):
    outcome = command("train", f"{key}=1", "hydra.run.dir=run")
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith(f"error: {key}: there is no such key; ")
    assert f"did you mean {key}?" not in last
    assert last.endswith(f" (+{key}=VALUE adds one.)") == added


def test_evaluate_names_the_choice_that_has_a_key(command):
    last = command("evaluate", "ckpt=x", "benchmark.root=/x").err.strip().splitlines()[-1]
    assert last == "error: benchmark.root: benchmark=null has no root; add benchmark=pslnet or benchmark=swcnn."


def test_choices_of_a_folder_that_was_named_are_offered_and_named(command, tmp_path):
    for name, option in (("mine", "depth: 3"), ("painter", "brush: 2")):
        file = tmp_path / "own" / "model" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"_target_: my_package.{name.title()}\n{option}\n")
    for folder in (("--config-dir", "own"), ("--config-dir=own",), (f"hydra.searchpath=[file://{tmp_path}/own]",)):
        last = command("train", *folder, "model=mine", "model.brush=1").err.strip().splitlines()[-1]
        assert last == "error: model.brush: model=mine has no brush; add model=painter."


def test_evaluate_needs_a_checkpoint(command):
    outcome = command("evaluate", "hydra.run.dir=run")
    assert outcome.status == 1
    assert "ckpt is not set; give it a value: ckpt=PATH." in outcome.err


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 truncated"])
def test_evaluate_refuses_a_damaged_checkpoint(command, tmp_path, content):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(content)
    outcome = command("evaluate", f"ckpt={path}", "hydra.run.dir=run")
    assert outcome.status == 1
    assert f"error: {path} cannot be read as a checkpoint" in outcome.err


def test_a_bug_is_not_dressed_up_as_a_sentence(command, monkeypatch):
    def broken(config):
        raise RuntimeError("a bug")

    monkeypatch.setattr("wm_lightning.runner.training.prepare", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        command("train", "hydra.run.dir=run")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photograph_that_vanishes_is_one_sentence_also_from_a_loader_process(
    command, tiny, own_photographs, workers, monkeypatch
):
    from wm_lightning.data.sources import FolderSource

    check = FolderSource.check

    def check_then_lose_them(self):
        broken = check(self)
        shutil.rmtree(own_photographs)
        return broken

    monkeypatch.setattr(FolderSource, "check", check_then_lose_them)
    arguments = (f"data.root={own_photographs}", f"data.num_workers={workers}", "hydra.run.dir=run")
    outcome = command("train", *tiny, *arguments)
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: A photograph can no longer be read")
    assert str(own_photographs) in last
