"""How like texts are to what they should be: exact match, BLEU and chrF by sacrebleu, ROUGE by rouge-score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from tfnlp.errors import ArgumentError, VersionError, did_you_mean


def exact_match(texts: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Return the share of texts that are the same but for white space at both ends."""
    pairs = zip(texts, targets, strict=True)
    return {"exact_match": sum(text.strip() == target.strip() for text, target in pairs) / len(targets)}


def bleu(texts: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Return BLEU over all texts, in [0, 100], as `sacrebleu` counts it by default (Post 2018)."""
    import sacrebleu

    return {"bleu": sacrebleu.corpus_bleu(list(texts), [list(targets)]).score}


def chrf(texts: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Return chrF over all texts, in [0, 100], as `sacrebleu` counts it by default (Popović 2015)."""
    import sacrebleu

    return {"chrf": sacrebleu.corpus_chrf(list(texts), [list(targets)]).score}


def rouge(texts: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Return the means of ROUGE's F-measures, in [0, 1], without stemming (Lin 2004)."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names)
    scores = [scorer.score(target, text) for text, target in zip(texts, targets, strict=True)]
    return {name: sum(score[name].fmeasure for score in scores) / len(scores) for name in names}


_Metric = Callable[[Sequence[str], Sequence[str]], dict[str, float]]
METRICS: dict[str, _Metric] = {"exact_match": exact_match, "bleu": bleu, "chrf": chrf, "rouge": rouge}
_NEEDED = {"bleu": "sacrebleu", "chrf": "sacrebleu", "rouge": "rouge_score"}


def named_metrics(names: str) -> list[str]:
    """Return the metrics that are named, with commas between.

    Raises:
        ArgumentError: if there is no such metric.
        VersionError: if the library that counts it is not installed.
    """
    metrics = [name.strip() for name in names.split(",") if name.strip()]
    for name in metrics:
        if name not in METRICS:
            raise ArgumentError(f"`metrics` knows {', '.join(METRICS)}; found {name!r}.{did_you_mean(name, METRICS)}")
        if name in _NEEDED and not find_spec(_NEEDED[name]):
            raise VersionError(f"{name} is counted by {_NEEDED[name]}: `pip install 'tfnlp[generation]'`.")
    return metrics


def compared_texts(texts: Sequence[str], targets: Sequence[str], metrics: Sequence[str]) -> dict[str, float]:
    """Compare texts with what they should be.

    Args:
        texts: that were made.
        targets: for each, what it should be.
        metrics: names in `METRICS`.

    Returns:
        Numbers by name.
    """
    return {name: value for metric in metrics for name, value in METRICS[metric](texts, targets).items()}
