"""What an evaluator asks of a privacy or unlearning claim: the concerns of NIST SP 800-226, in our own words.

Some questions are answered from the certificate, some by a run record; the rest somebody has to answer for, in
[attest.answers.ITEM] of the run file. `certify.report.hazards` computes the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["guarantee", "algorithm", "implementation", "context", "governance", "unlearning"]
When = Literal["always", "noisy-sgd", "derived", "training", "unlearning"]

PARTS: dict[Part, str] = {
    "guarantee": "The guarantee",
    "algorithm": "Algorithm and accounting",
    "implementation": "Implementation",
    "context": "Context",
    "governance": "Governance",
    "unlearning": "Unlearning",
}
WHEN: dict[When, str] = {
    "always": "of every run",
    "noisy-sgd": "of projected noisy SGD",
    "derived": "where the proof assumes limits of features or labels",
    "training": "of DP-SGD and its relatives",
    "unlearning": "of runs that unlearn",
}


@dataclass(frozen=True)
class Question:
    """One question. `why`: what goes wrong where the answer is bad. `when`: which runs it is asked of (`WHEN`).

    attestable: whether [attest.answers.ID] may answer it; `hint`: how to, where the first words of the answer are read.
    """

    id: str
    part: Part
    text: str
    why: str
    when: When = "always"
    attestable: bool = True
    hint: str = ""


_NO = "begin with “no,” if nothing of the kind happened"

QUESTIONS: tuple[Question, ...] = (
    # --- the guarantee ---
    Question(
        "unit",
        "guarantee",
        "What does one record stand for: all that one person contributed, or a part of it?",
        "Where a person has several records, the guarantee for one of them says less about the person.",
        hint="begin with “person”, “individual” or “user” and a comma or full stop, if that is the unit",
    ),
    Question(
        "definition",
        "guarantee",
        "Which two situations must an observer be unable to tell apart, and how well?",
        "Without neighbours, ε and δ, the word “private” states nothing.",
        attestable=False,
    ),
    Question(
        "epsilon",
        "guarantee",
        "Is ε small enough to limit what an observer learns about one record?",
        "An observer's odds can change by the factor e^ε; for ε of 10 and more that excludes hardly anything.",
        attestable=False,
    ),
    Question(
        "delta",
        "guarantee",
        "Is δ small against one over the number of records?",
        "A mechanism that publishes every record with probability δ, and does nothing else, meets the same claim.",
        attestable=False,
    ),
    Question(
        "target_choice",
        "guarantee",
        "Who chose the target ε and δ, and for which reason?",
        "A target that was set after the result was known limits nothing.",
    ),
    Question(
        "observer",
        "guarantee",
        "What may an observer see for the guarantee to hold?",
        "Whatever else is seen, such as earlier models or gradients without noise, is outside the bound.",
        attestable=False,
    ),
    Question(
        "contributions",
        "guarantee",
        "How many records can one person contribute, duplicates, joins and shared records included?",
        "For a person with k records ε grows k-fold, and δ faster.",
    ),
    Question(
        "tightness",
        "guarantee",
        "How far can the bound be from the truth?",
        "A bound that may be loose cannot tell a target that nobody can reach from one that this proof misses.",
        attestable=False,
    ),
    # --- algorithm and accounting ---
    Question(
        "derivation",
        "algorithm",
        "Can a stranger derive the bound again, and does it meet the target?",
        "A number from an accountant that nobody can check may lie below the truth.",
        attestable=False,
    ),
    Question(
        "properties",
        "algorithm",
        "Does the run have the properties that bounds of this kind usually need?",
        "A bound that rests on a property which the run does not have is void.",
        attestable=False,
    ),
    Question(
        "constants",
        "algorithm",
        "Do convexity, smoothness and the gradient bound hold for every record that can occur?",
        "One record with a larger gradient has more influence than the noise was made for.",
        when="noisy-sgd",
    ),
    Question(
        "data_bounds",
        "algorithm",
        "Do all features and labels stay within the limits that the constants were derived from?",
        "The derived constants are those of a loss on data within these limits, and of no other.",
        when="derived",
    ),
    Question(
        "sensitivity",
        "algorithm",
        "Is the influence of one record on one step bounded, whatever the record is?",
        "Scaling a whole batch instead of every record's own gradient leaves the influence of one record unbounded.",
        when="training",
        attestable=False,
    ),
    Question(
        "public_bounds",
        "algorithm",
        "Were clipping norms, feature limits and other constants chosen without looking at the data?",
        "A constant that is computed from the records tells about them, and no noise hides it.",
    ),
    Question(
        "normaliser",
        "algorithm",
        "Is the noisy sum divided by a public number?",
        "A divisor computed from the data, such as the true size of a batch, tells who is in them.",
        when="training",
    ),
    Question(
        "sampling",
        "algorithm",
        "Are the batches drawn in the way that the bound assumes?",
        "A bound for random batches does not hold for shuffled ones, and an order that is known hides nobody.",
        hint="begin with the word that the run has for it (mechanism.sampling or batch_order), and name no other way",
    ),
    Question(
        "earlier_releases",
        "algorithm",
        "Is anything else released about the same records that this budget does not count?",
        "Every release adds to what can be learnt about a record; a budget that leaves one out is too small.",
        hint=f"{_NO}, or with “in the budget,” if the table releases lists it",
    ),
    Question(
        "tuning",
        "algorithm",
        "Did the choice of hyperparameters, stopping point or model look at the data outside this budget?",
        "The best of many runs tells about the records that made it the best, beyond what its own run costs.",
        hint=f"{_NO}, or with “in the budget,” if the table releases lists it",
    ),
    Question(
        "preprocessing",
        "algorithm",
        "Do a vocabulary, feature statistics or a pre-trained model that went into the run come from the same records?",
        "What is computed from the records before the noise is added is outside the bound.",
    ),
    Question(
        "start",
        "algorithm",
        "Do the two compared runs start alike, independently of the data?",
        "A start that depends on the records carries them past the noise.",
        when="noisy-sgd",
    ),
    # --- implementation ---
    Question(
        "execution",
        "implementation",
        "Was the run executed as it was certified?",
        "A bound is about the run that is described; another one has another bound, or none.",
    ),
    Question(
        "randomness",
        "implementation",
        "Does the noise come from a cryptographic generator, and does it stay unknown?",
        "Whoever can draw the noise again can subtract it.",
    ),
    Question(
        "floating_point",
        "implementation",
        "Is noise of finite precision close enough to the exact Gaussian of the theorems?",
        "The last bits of a noisy number can show which value it was added to.",
    ),
    Question(
        "side_channels",
        "implementation",
        "Can time, memory, error messages or network traffic of the run be observed?",
        "A run whose duration depends on a record tells about it without any model being released.",
    ),
    Question(
        "diagnostics",
        "implementation",
        "Do accuracies, loss curves, logs or data fingerprints leave the place where the data are?",
        "Figures that are computed on the records and shown without noise are releases too.",
    ),
    Question(
        "audit",
        "implementation",
        "Was the claim put to the test by an attack on the trained model?",
        "An attack that does better than the bound allows shows an error which no proof of the description finds.",
    ),
    # --- context ---
    Question(
        "trust_model",
        "context",
        "Who sees the records before noise is added?",
        "The guarantee is about what is released; those who hold the records have to be trusted.",
    ),
    Question(
        "access",
        "context",
        "Who can reach the records, the intermediate models and the keys, and is that logged?",
        "Whoever reads the data itself has no need to attack the model.",
    ),
    Question(
        "collection",
        "context",
        "How are the records protected from their collection until their deletion?",
        "Most exposures of data happen outside of any training.",
    ),
    Question(
        "utility",
        "context",
        "Is the model good enough for its purpose with this noise?",
        "A model that is of no use is soon replaced by one without a guarantee.",
    ),
    Question(
        "bias",
        "context",
        "What do noise, clipping and unlearning do to small groups?",
        "Noise and clipping cost those most of whom there are few records.",
    ),
    Question(
        "communication",
        "context",
        "Are the people concerned told what is guaranteed to them, and what is not?",
        "What holds for a whole population can be learnt about a person whose record was never used.",
    ),
    # --- governance ---
    Question(
        "responsible",
        "governance",
        "Who answers for what no computation can check?",
        "An assumption that nobody answers for is a gap in the claim.",
        attestable=False,
    ),
    Question(
        "signatures",
        "governance",
        "Is the certificate signed with a key that the reader trusts?",
        "Without a signature anybody can have written it, about any run.",
        attestable=False,
    ),
    Question(
        "freshness",
        "governance",
        "Until when is the certificate meant to be relied on?",
        "Data, code and assumptions change, and the claim is about what they were.",
        attestable=False,
    ),
    Question(
        "budget",
        "governance",
        "Is there a limit to the ε of all releases together, and who decides on spending it?",
        "Small guarantees add up to a large one where nobody counts.",
    ),
    Question(
        "review",
        "governance",
        "What happens when an assumption turns out to be wrong, or the software changes?",
        "A claim that nobody revisits outlives its reasons.",
    ),
    # --- unlearning ---
    Question(
        "reference",
        "unlearning",
        "With which model is the unlearned one compared?",
        "Closeness to a model that nobody would have trained is no unlearning.",
        when="unlearning",
        attestable=False,
    ),
    Question(
        "adaptive_requests",
        "unlearning",
        "Could the choice of a request depend on a model that was already seen?",
        "Requests that react to a model carry what it tells past a bound for requests that depend on none.",
        when="unlearning",
        hint=_NO,
    ),
    Question(
        "earlier_models",
        "unlearning",
        "Has anybody outside received a model from before a request?",
        "A model that was handed out still holds what the later ones have unlearned.",
        when="unlearning",
        hint=_NO,
    ),
    Question(
        "saved_state",
        "unlearning",
        "Is any state from before a request kept, such as checkpoints, optimiser state, gradients or caches?",
        "What was saved before a request brings back what the request removed.",
        when="unlearning",
        hint=_NO,
    ),
    Question(
        "backups",
        "unlearning",
        "Are the records gone from the training data, from its copies and from back-ups?",
        "The next training run learns again what is still in its data.",
        when="unlearning",
    ),
    Question(
        "derived_models",
        "unlearning",
        "Are models fine-tuned or distilled from the earlier one, its embeddings and synthetic data dealt with too?",
        "What was made from the model from before a request still depends on the records.",
        when="unlearning",
    ),
    Question(
        "capacity",
        "unlearning",
        "Does the certificate cover as many requests and records as were removed?",
        "Beyond the certified number of records the bound says nothing.",
        when="unlearning",
        attestable=False,
    ),
    Question(
        "forget_set",
        "unlearning",
        "Were all records that a request is about found, copies and shared records included?",
        "A record that was overlooked stays in the model.",
        when="unlearning",
    ),
    Question(
        "sign_off",
        "unlearning",
        "Has a person in charge signed off every request?",
        "Nobody notices a request that was lost, where nobody closes it.",
        when="unlearning",
    ),
)

BY_ID: dict[str, Question] = {question.id: question for question in QUESTIONS}
ATTESTABLE: tuple[Question, ...] = tuple(question for question in QUESTIONS if question.attestable)
