"""Searches the learning rate and the weight of the eigen loss with Optuna: ask-and-tell, pruning, and lengthened runs.

usage: python examples/optuna_search.py [FOLDER] [TRIALS] [EPOCHS,EPOCHS,…] [PATH=VALUE …]
  python examples/optuna_search.py                                   # 24 trials in runs/optuna
  python examples/optuna_search.py runs/quick 9 1,2,4 data.limit=5000

needs: pip install optuna numpy pandas

Each rung (3, 10 and 30 epochs) is a study of Optuna. All trials train to the first rung, where Optuna's median pruner
stops the worst of them earlier. The best third is promoted: its runs are lengthened to the next rung, so no epoch is
trained twice. Repeat the command after an interruption or with more trials: the studies are kept in FOLDER/study.db, and
every run continues after its last epoch.
"""

import hashlib
import json
import sys
from math import ceil
from pathlib import Path
from typing import Any, Iterator

import eigenae
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

CONFIG = Path(__file__).parent.parent / "configs" / "eigen.json"
METRIC = "validation_denoise_mse"
KEEP = 1 / 3

Settings = dict[str, Any]


def suggest(trial: Trial) -> Settings:
    return {
        "optimizer.learningRate": trial.suggest_float("optimizer.learningRate", 1e-4, 1e-1, log=True),
        "loss.eigen.weight": trial.suggest_float("loss.eigen.weight", 1e-3, 1e1, log=True),
    }


def errors_by_epoch(run: Path, settings: Settings, epochs: int) -> Iterator[tuple[int, float]]:
    """Yields the error after each epoch: of those that the run has, and then of new ones while they train."""
    done = 0
    if (run / "metrics.csv").exists():
        saved = eigenae.metrics(run)[METRIC].loc[:epochs]
        done = len(saved)
        yield from enumerate(saved, 1)
    if done == epochs:
        return
    for event in eigenae.train(CONFIG, run, settings, epochs):
        if event["event"] == "epoch" and event["epoch"] > done:
            yield event["epoch"], event[METRIC]


def advance(study: optuna.Study, trial: Trial, folder: Path, epochs: int, fixed: Settings) -> None:
    """Trains a trial to the given number of epochs, or until Optuna prunes it, and tells the study."""
    settings = suggest(trial) | fixed
    # A folder named after the settings: in every rung, and after an interruption, the same trial has the same run.
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    run = folder / f"trial-{digest}"
    trial.set_user_attr("run", str(run))
    try:
        for epoch, error in errors_by_epoch(run, settings, epochs):
            trial.report(error, epoch)
            # Leaving the loop stops the run, and its epochs are kept.
            if epoch < epochs and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
        study.tell(trial, error)
    except eigenae.CommandError as failure:
        # Any other failure ends the search, and its next start repeats the trial.
        if "training diverged" not in str(failure):
            raise
        study.tell(trial, state=TrialState.FAIL)


def repeat_interrupted(study: optuna.Study) -> None:
    """Queues the trials again that an earlier process left unfinished."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.enqueue_trial(trial.params)
        study.tell(trial.number, state=TrialState.FAIL)


def search(folder: Path, trials: int, rungs: list[int], fixed: Settings) -> list[FrozenTrial]:
    """Returns the trials that reached the last rung, the best one first."""
    folder.mkdir(parents=True, exist_ok=True)
    promoted: list[FrozenTrial] = []
    for rung, epochs in enumerate(rungs):
        study = optuna.create_study(
            study_name=f"{epochs} epochs",
            storage=f"sqlite:///{folder / 'study.db'}",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
        # Not a constant, which would suggest the first trials again when the search is resumed.
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
        repeat_interrupted(study)
        for trial in promoted:
            study.enqueue_trial(trial.params, skip_if_exists=True)
        while True:
            waiting = study.get_trials(states=(TrialState.WAITING,))
            ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
            if not waiting and (rung > 0 or len(ended) >= trials):
                break
            advance(study, study.ask(), folder, epochs, fixed)
        complete = study.get_trials(states=(TrialState.COMPLETE,))
        promoted = sorted(complete, key=lambda trial: trial.values[0])
        print(f"{epochs} epochs: {len(ended)} trials, {len(complete)} not pruned", file=sys.stderr)
        if rung + 1 < len(rungs):
            promoted = promoted[: ceil(KEEP * len(ended))]
    return promoted


def main(folder: str = "runs/optuna", trials: str = "24", rungs: str = "3,10,30", *fixed: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings: Settings = {"data.validation": 5000}
    for each in fixed:
        path, value = each.split("=", 1)
        settings[path] = json.loads(value)
    steps = [int(epochs) for epochs in rungs.split(",")]
    for trial in search(Path(folder), int(trials), steps, settings):
        print(f"{METRIC} {trial.values[0]:.5f}  {json.dumps(trial.params)}  {trial.user_attrs['run']}")
    trained = eigenae.runs(folder).epoch
    print(f"{trained.sum():.0f} epochs trained instead of {len(trained) * steps[-1]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
