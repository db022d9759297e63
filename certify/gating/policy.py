"""The policy of a gate: what a certificate must meet. TOML, every key with its type, default and meaning."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from accountant.core.exact import canonical
from certify import checker
from certify.errors import UsageError
from certify.results.floor import ROUNDING
from certify.runfile.pnsgd_tables import Number, Table, Whole
from certify.runfile.problems import UNKNOWN, describe_problem, first_problem
from certify.runfile.questions import BY_ID
from certify.runfile.read import load_tables
from certify.trust.keys import read_public_keys

Status = Literal["proved", "checked", "attested", "violated"]
Mechanism = Literal["pnsgd", "dp-sgd", "auto-s", "dp-psac", "dp-psasc"]
Neighbours = Literal["replace-one", "remove-one", "add-or-remove-one"]
Reference = Literal["retrain", "retrain-T", "stationary", "none"]
Release = Literal["final", "all", "sums"]


def _in_a_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _not_empty(value: list[Any]) -> list[Any]:
    if not value:
        raise ValueError("is empty, and nothing could meet it; name some, or leave the key out")
    return value


def _known_questions(value: list[str]) -> list[str]:
    for item in value:
        if item not in BY_ID:
            raise ValueError(f"{item!r} is not a question of the report{_near(item, list(BY_ID))}")
    return value


def _not_negative(value: int | Fraction) -> int | Fraction:
    if value < 0:
        raise ValueError(f"{canonical(value)} must be at least 0")
    return value


def _positive(value: int) -> int:
    if value < 1:
        raise ValueError(f"{value} must be at least 1")
    return value


# What may be written as one value or as a list of some.
Statuses = Annotated[list[Status], BeforeValidator(_in_a_list)]
Ids = Annotated[list[str], BeforeValidator(_in_a_list)]
Files = Annotated[list[str], BeforeValidator(_in_a_list), AfterValidator(_not_empty)]
Questions = Annotated[list[str], BeforeValidator(_in_a_list), AfterValidator(_known_questions)]
Mechanisms = Annotated[list[Mechanism], BeforeValidator(_in_a_list), AfterValidator(_not_empty)]
Relations = Annotated[list[Neighbours], BeforeValidator(_in_a_list), AfterValidator(_not_empty)]
References = Annotated[list[Reference], BeforeValidator(_in_a_list), AfterValidator(_not_empty)]
Releases = Annotated[list[Release], BeforeValidator(_in_a_list), AfterValidator(_not_empty)]
Limit = Annotated[Number, AfterValidator(_not_negative)]


class LimitsTable(Table):
    max_epsilon: Limit | None = Field(
        None,
        description="the proved bound on ε (`epsilon.upper`), at the δ of the claim, is at most this; says little "
        "without `max_delta`, for ε is small at a large δ",
    )
    max_delta: Limit | None = Field(None, description="the δ of the claim is at most this")
    executed: StrictBool = Field(
        False,
        description="what is limited is the run as it was executed, its rounding counted "
        "(`execution.finite_precision.executed`): that ε is at most `max_epsilon` and the certificate's own target; a "
        "certificate that does not state one does not pass",
    )
    require_verdict: Literal["CERTIFIED"] = Field(
        "CERTIFIED", description="the bound meets the certificate's own target; always required"
    )


class GuaranteesTable(Table):
    membership: Limit | None = Field(
        None,
        description="a training run's proved ε against membership inference (a record more, or less) is at most this, "
        "at the δ of the claim and for groups of the run's size",
    )
    attribute_or_label: Limit | None = Field(
        None, description="as `membership`, against attribute or label inference (a record's value is replaced)"
    )


class AssumptionsTable(Table):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Statuses]  # by the assumption's id

    allowed: Annotated[list[Literal["proved", "checked", "attested"]], BeforeValidator(_in_a_list)] = Field(
        ["proved", "checked", "attested"], description="statuses that any assumption may have"
    )
    forbidden: Ids = Field([], description="ids that must not be among the assumptions")


class SignaturesTable(Table):
    keys: Files = Field(description="public keys (PEM files, relative to the policy) whose signatures are asked for")
    threshold: Annotated[Whole, AfterValidator(_positive)] | None = Field(
        None, description="how many of the keys must have signed; absent: all"
    )


class FreshnessTable(Table):
    max_age_days: Annotated[Whole, AfterValidator(_not_negative)] | None = Field(
        None, description="days since the certificate was created, at most"
    )
    require_expiry: StrictBool = Field(False, description="the certificate must have an expiry date")
    not_revoked: Files | None = Field(
        None,
        description="ledgers (state folders or .sqlite files relative to the policy, URLs) none of which revokes the "
        "certificate; one of them must know it, if it is of a model that was executed",
    )


class ReportTable(Table):
    max_warnings: Annotated[Whole, AfterValidator(_not_negative)] | None = Field(
        None, description="warnings that the report of the certificate prints, at most"
    )
    answered: Questions = Field(
        [],
        description="questions of the report's checklist that must have an answer, whatever it says: computed, "
        "evidenced, or attested in `[attest.answers]` of the run file; one that is not asked of the run needs none",
    )


class RunTable(Table):
    mechanisms: Mechanisms | None = Field(None, description="what the mechanism may be")
    neighbours: Relations | None = Field(None, description='what "neighbouring" may mean')
    references: References | None = Field(
        None, description='what unlearning may be compared with; `"none"`: a claim that is not about unlearning'
    )
    releases: Releases | None = Field(
        None, description='what the observer may see; `"sums"`: every noisy sum, as of DP-SGD and its relatives'
    )


class ExecutionTable(Table):
    required: StrictBool = Field(False, description="the certificate must say what was run (`execution`)")
    executed: StrictBool = Field(
        False,
        description="the certificate must say what was run, with noise that nobody can draw again: an experiment does "
        "not pass, whatever `allow_reproducible_noise` says",
    )
    allow_reproducible_noise: StrictBool = Field(
        False, description="accept a run whose noise can be drawn again, and which is therefore not private"
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="a file, relative to each certificate, that must be the model it certifies (exit 4 if not)",
    )


class PolicyTable(Table):
    limits: LimitsTable = LimitsTable()
    guarantees: GuaranteesTable = GuaranteesTable()
    assumptions: AssumptionsTable = AssumptionsTable()
    signatures: SignaturesTable | None = None
    freshness: FreshnessTable = FreshnessTable()
    report: ReportTable = ReportTable()
    run: RunTable = RunTable()
    execution: ExecutionTable = ExecutionTable()


TABLES: dict[str, tuple[type[Table], ...]] = {
    "limits": (LimitsTable,),
    "guarantees": (GuaranteesTable,),
    "assumptions": (AssumptionsTable,),
    "signatures": (SignaturesTable,),
    "freshness": (FreshnessTable,),
    "report": (ReportTable,),
    "run": (RunTable,),
    "execution": (ExecutionTable,),
}


@dataclass(frozen=True)
class Policy:
    """A checked policy file, with the keys that it names as PEM."""

    path: Path
    table: PolicyTable
    keys: tuple[bytes, ...]

    @property
    def threshold(self) -> int | None:
        """How many of the keys must have signed; None where no signature is asked for."""
        if self.table.signatures is None:
            return None
        return self.table.signatures.threshold or len(self.keys)


def read_policy(path: str | Path) -> Policy:
    """Read a policy and the keys that it names.

    Raises:
        UsageError: unreadable, malformed, an unknown key or assumption, a value out of range, a key file that is none;
            one line with file, key, value and fix.
    """
    path = Path(path)
    tables = load_tables(path, "policy")
    by_id = tables["assumptions"] if isinstance(tables.get("assumptions"), dict) else {}
    try:
        _check_ids(by_id, [*checker.ASSUMPTIONS, *AssumptionsTable.model_fields])
        table = PolicyTable.model_validate(tables)
        _check_ids(table.assumptions.forbidden, list(checker.ASSUMPTIONS))
        _check_rounding(table.assumptions)
    except ValidationError as invalid:
        raise UsageError(f"{path}: {_first_problem(invalid)}") from None
    except UsageError as problem:
        raise UsageError(f"{path}: {problem}") from None
    if table.signatures is None:
        return Policy(path, table, ())
    try:
        keys = read_public_keys(path.parent / name for name in table.signatures.keys)
    except UsageError as problem:
        raise UsageError(f"{path}: signatures.keys: {problem}") from None
    threshold = table.signatures.threshold
    if threshold is not None and threshold > len(keys):
        raise UsageError(f"{path}: signatures.threshold: got {threshold}, but there are only {len(keys)} keys")
    return Policy(path, table, keys)


def _check_ids(names: Iterable[str], known: list[str]) -> None:
    """A misspelt assumption would be a rule that never applies."""
    for name in names:
        if name not in known:
            raise UsageError(f"assumptions: {name!r}: no such assumption{_near(name, known)}")


def _check_rounding(table: AssumptionsTable) -> None:
    """What a run has not got, no step of its proof rests on; but rounding is in every step that is executed."""
    if "violated" in (table.model_extra or {}).get(ROUNDING, ()):
        raise UsageError(
            f'assumptions.{ROUNDING}: "violated" is never allowed: the model is another than the certified'
        )


def _near(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _first_problem(invalid: ValidationError) -> str:
    """One line: the key, the value, the fix."""
    problem = first_problem(invalid)
    where = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]]
    key = "".join(where).removeprefix(".")
    if problem["type"] == UNKNOWN:
        known = list(TABLES if len(where) == 1 else TABLES[problem["loc"][0]][0].model_fields)
        return f"{key}: unknown key{_near(str(problem['loc'][-1]), known)}"
    return describe_problem(problem, key)
