"""The words in which the guarantee of one run is put: exactly, and for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from certify.report.document import Line, line
from certify.report.reading import Reading
from certify.report.sections.words import number, power, several

_DIFFER = {
    "replace-one": ("in the value of one record", "in the values of {} records"),
    "remove-one": ("in whether one record takes part", "in whether {} records take part"),
    "add-or-remove-one": ("by one record that only one of them has", "by {} records, each in only one of them"),
}
_WITHOUT = {
    "replace-one": ("that record has another value", "those records have other values"),
    "remove-one": ("that record takes no part", "those records take no part"),
}


@dataclass(frozen=True)
class Wording:
    """The words in which one run's guarantee is put."""

    reading: Reading

    @property
    def records(self) -> int:
        """How many records differ in the worst case that the claim covers."""
        if self.reading.training:
            return int(self.reading.run["threat"].get("group_size", "1"))
        return sum(map(int, self.reading.run["requests"]["sizes"]))

    @property
    def everything(self) -> bool:
        """Whether several releases are seen together."""
        return not self.reading.training and self.reading.run["threat"]["release"] == "all" and self.reading.unlearns

    @property
    def adaptively(self) -> bool:
        """Whether requests may be chosen from the released models."""
        return "chosen" in self.reading.run.get("requests", {})

    @property
    def outcomes(self) -> str:
        if self.reading.training:
            return "possible outcomes"
        return "sequences of models" if self.everything else "models"

    @property
    def sentence(self) -> str:
        """The claim, up to its inequality."""
        run, mechanism = self.reading.run, self.reading.run["mechanism"]
        neighbours = run["threat"]["neighbours"]
        one, many = _DIFFER[neighbours]
        differ = one if self.records == 1 else many.format(self.records)
        if self.reading.training:
            count = len(run["releases"])
            others = (
                f", together with the {'other release' if count == 1 else f'{count} other releases'} in its budget,"
            )
            released = f"all noisy sums X that this run releases{others * bool(count)} from the one"
            return f"For any two datasets that differ {differ}, {released}, and X′, the same from the other"
        if not self.reading.unlearns:
            return (
                f"For any two datasets of {mechanism['samples']} records that differ {differ}, the models X and X′ "
                f"that {several(mechanism['epochs'], 'epoch')} of learning release from the one and from the other"
                f"{self._starts}"
            )
        return self._unlearning(run, mechanism, _WITHOUT[neighbours][self.records > 1])

    @property
    def _starts(self) -> str:
        distance = self.reading.run["mechanism"]["initial_distance"]
        return "" if distance == "0" else f", from starts at most {distance} apart"

    def _unlearning(self, run: Mapping[str, Any], mechanism: Mapping[str, Any], without: str) -> str:
        sizes, lengths = run["requests"]["sizes"], mechanism["unlearning_epochs"]
        learning = f"{several(mechanism['epochs'], 'epoch')} of learning"
        if len(sizes) == 1:
            who = f"any dataset of {mechanism['samples']} records and any {several(sizes[0], 'record')} to be unlearned"
            model = f"the model X after {learning} and {several(lengths[0], 'epoch')} of unlearning"
            if self.everything:
                model = (
                    f"the models X after {learning} and after {several(lengths[0], 'epoch')} of unlearning, together"
                )
            return f"For {who}, {model}, and X′, {self._reference(run, mechanism, without)}"
        how = "which may depend on the released models" if self.adaptively else "which depend on no released model"
        claimed = "the last of these requests" if "predecessor" in self.reading.predicate else "each of these requests"
        who = (
            f"any dataset of {mechanism['samples']} records, any {len(sizes)} requests, {how}, to unlearn "
            f"{several(self.records, 'record')} of them in all, and {claimed}"
        )
        model = f"the model X after {learning} and the unlearning up to that request"
        if self.everything:
            model = f"the models X after {learning} and after every request up to that one, together"
        without = without.replace("those records", "the records of the requests up to that one")
        return f"For {who}: {model}, and X′, {self._reference(run, mechanism, without)}"

    def _reference(self, run: Mapping[str, Any], mechanism: Mapping[str, Any], without: str) -> str:
        kind = run["threat"]["reference"]
        if kind == "stationary":
            return (
                f"a draw from the stationary distribution of training with the same batches on data in which {without}"
            )
        length = "as many epochs with the same start and batches"
        if self._starts:
            length = f"as many epochs{self._starts} and with the same batches"
        if kind == "retrain-T":
            length = f"{several(mechanism['epochs'], 'epoch')} with the same batches"
        if self.everything:
            return f"those of the same run on data in which {without} from the beginning"
        return f"the model of retraining for {length} on data in which {without}"

    @property
    def lower(self) -> Line:
        """What is known from below."""
        low = self.reading.predicate["epsilon"]["lower"]
        if low is None:
            return line("How far the bound is from the best one is not known: there is no lower bound here.")
        if self.unconfirmed:
            return line("The producer's lower bound on ε, ", number(low), ", was not verified.")
        return line("No ε below ", number(low), " holds for every such run.")

    @property
    def unconfirmed(self) -> bool:
        """Whether the checker could not confirm the lower bound."""
        return any("lower bound not verified" in step for step in self.reading.report.steps)

    @property
    def drawn_batches(self) -> bool:
        """Whether the proof counts on the observer not knowing who is in which batch."""
        return any(id in ("batches:secret", "sampling") for id, _, _ in self.reading.report.assumptions)

    @property
    def hidden(self) -> str:
        """What the observer must not know."""
        return "the noise, nor which records are in which batch" if self.drawn_batches else "the noise"

    @property
    def chance(self) -> str:
        """What is random."""
        return "the noise and the draw of the batches" if self.drawn_batches else "the noise"

    @property
    def observed(self) -> str:
        """What the observer of the guarantee sees."""
        if self.reading.training:
            others = ", and the other releases" * bool(self.reading.run["releases"])
            return f"every noisy sum of the training, and with it every model along the way{others}"
        if self.everything:
            return "the model after learning and the one after every request"
        return "the released model"

    def plain_words(self) -> Iterator[Line]:
        """What an observer who knows everything else can learn about the record."""
        epsilon, delta = self.reading.predicate["epsilon"]["upper"], self.reading.predicate["delta"]
        neighbours = self.reading.run["threat"]["neighbours"]
        whose = "one record" if self.records == 1 else f"these {self.records} records together"
        if self.reading.unlearns:
            was = "were" if self.records > 1 else "was"
            question = f"whether {whose} {was} learnt and then unlearned, or had never been there"
            if neighbours == "replace-one":
                question = f"whether {whose} {was} learnt and then unlearned, or had another value from the start"
        elif neighbours == "replace-one":
            question = f"which of two values {whose} had"
        else:
            question = f"whether {whose} took part"
        yield line(
            "Think of an observer who knows all the other records, the code and every number in this report, but not "
            f"{self.hidden}; who sees {self.observed}; and who wants to tell {question}."
        )
        yield line(
            "Whatever test they use: if it wrongly decides for one of the two with probability p, it rightly decides "
            "for it with probability at most ",
            power(epsilon),
            " · p + ",
            number(delta),
            ". In terms of odds: if δ were zero, nothing they see could change the odds that they gave beforehand by "
            "more than the factor ",
            power(epsilon),
            ", up or down; δ is what a single event may add to that.",
        )
