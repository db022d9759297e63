"""What no computation can check."""

from __future__ import annotations

ASSUMPTIONS = {
    "convexity": "The data loss of every record is convex in the parameters, and the regulariser makes the loss "
    "m-strongly convex, alike for neighbours.",
    "smoothness": "The regularised loss is L-smooth in the parameters.",
    "gradient_bound": "The data gradient of every record has norm at most M at every parameter vector.",
    "weight_decay": "The regulariser is the weight decay (m/2)‖θ‖² with m = strong_convexity, alike for neighbours.",
    "per_record_clipping": "Each record's gradient is clipped (or scaled) by itself, before the sum; the regulariser "
    "is added after.",
    "batch_clipping": "The mean gradient of every batch is clipped to norm clip as a whole; the regulariser is added "
    "after.",
    "feature_norm": "Every feature vector has norm at most feature_norm and every label is -1 or +1.",
    "features": "Every feature vector has norm at most feature_norm.",
    "target_bound": "Every target lies between -target_bound and target_bound.",
    "counts": "Every target lies between 0 and target_bound.",
    "classes": "Every label is one of the classes.",
    "domain": "Where there is a radius, its ball is centred at the origin and every gradient is taken in it; the "
    "loss's constants hold there.",
    "gaussian_noise": "Every step adds independent exact Gaussian noise N(0, 2ησ²I) that the observer does not know.",
    "noise_above_rounding": "With the dtype, dimension and largest_coordinate of [execution], and an error of at most "
    "4 units in the last place in each coordinate of each step, rounding adds at most a hundredth of the mu that the "
    "target allows.",
    "projection": "Every step ends with the projection on the ball of the given radius, and both starts lie in it.",
    "starts": "The two runs start at most initial_distance apart, independently of the data.",
    "neighbours:replace-one": "Neighbouring datasets differ in the value of the named records; their number is the "
    "same.",
    "neighbours:remove-one": "Neighbouring datasets differ in that the data gradients of the named records are zero; "
    "the batches keep their size.",
    "batches:fixed": "The batches are fixed in advance, visited in the same order every epoch, and alike in both runs.",
    "batches:secret": "The assignment of the records to batches was drawn uniformly, independently of data and noise, "
    "is alike in both runs, and the observer does not know it.",
    "release:final": "The observer sees the final model alone; which records are asked for, and when, does not depend "
    "on any released model.",
    "release:all": "The observer sees the model after learning and after every request; which records are asked for, "
    "and when, does not depend on any released model.",
    "release:adaptively": "The observer sees the model after learning and after every request; the set of records that "
    "the claim is about is fixed in advance, and everything else about the requests may be chosen from the released "
    "models.",
    "reference:retrain": "Unlearning is compared with retraining for as many epochs, with the same start and batches, "
    "without the records to be unlearned.",
    "reference:retrain-T": "Unlearning is compared with retraining for the learning epochs alone, with the same "
    "batches, without the records to be unlearned.",
    "reference:stationary": "Unlearning is compared with the stationary distribution of training with the same "
    "batches, without the records to be unlearned.",
    # of training runs
    "batches:disjoint": "Every record is in exactly one batch of each epoch; the order does not depend on the data.",
    "neighbours:add-or-remove-one": "Neighbouring datasets differ by one record that only one of them has.",
    "group:independent": "What is said of neighbours holds for group_size such differences at once; each of these "
    "records is drawn for itself.",
    "group:together": "What is said of neighbours holds for group_size such differences at once; these records are "
    "drawn together or not at all.",
    "noisy_sums": "Every step releases a sum with one term for each record of its batch, of norm at most the "
    "sensitivity, plus exact Gaussian noise that the observer does not know; whatever it is divided by is public.",
    "other_releases": "Every other release in the budget is Gaussian-DP with its stated mu, about the same records and "
    "neighbours; it may depend on what was released before.",
    "release:sums": "The observer may see every noisy sum, and with it every iterate.",
    "sampling": "The batches are drawn anew at every step as the schedule says, independently of the data, and the "
    "observer does not see who is in them.",
}
