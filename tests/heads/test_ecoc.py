"""The error-correcting head: eq. 6.1 to 6.3 by loops, closed form and autograd; what the rest of a training asks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from small import options

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import ECOCHead, Head, HeadEnsemble, LinearHead, heads
from tagger.heads.ecoc_codes import code_matrix
from tagger.presets import load_settings
from tagger.training.retraining.warm_start import remap_head_labels

FEATURES, LABELS, IMAGES = 12, 6, 40


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def new(seed: int = 0, labels: int = LABELS, **options: object) -> ECOCHead:
    """A head with weights of its own, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return heads.build("ecoc", FEATURES, labels, **{"code": "data"} | options).eval()


def cells(labels: int = LABELS) -> np.ndarray:
    """Cells in which labels 0 and 1 mostly come together."""
    rng = np.random.default_rng(0)
    labels_NK = (rng.random((IMAGES, labels)) < 0.3).astype(np.int8)
    labels_NK[:, 1] = labels_NK[:, 0]
    return labels_NK


def slow_distances(z_BJ: torch.Tensor, code_KJ: torch.Tensor) -> torch.Tensor:
    """d_j = -1/2 ||M_j - z/||z|| ||^2, one number at a time (the text above eq. 6.1)."""
    rows = []
    for z in z_BJ:
        length = sum(value**2 for value in z) ** 0.5
        rows.append(
            torch.stack(
                [-0.5 * sum((m - v / length) ** 2 for m, v in zip(word, z, strict=True)) for word in code_KJ]
            )
        )
    return torch.stack(rows)


def closed_form(
    z: torch.Tensor, code_KJ: torch.Tensor, y_K: torch.Tensor, *, printed: bool = False
) -> torch.Tensor:
    """The gradient of the softmax's cross-entropy by z: eq. 6.1 times eq. 6.2, as in eq. 6.3.

    Eq. 6.2 is printed over ||z||^3 and eq. 6.3 with the opposite sign.
    """
    length = z.norm()
    unit = z / length
    probs_K = torch.softmax(-0.5 * ((code_KJ - unit) ** 2).sum(1), 0)
    by_unit = code_KJ - unit  # eq. 6.1, (K, J)
    by_z = (torch.eye(len(z)).double() * length - torch.outer(z, unit)) / length ** (
        3 if printed else 2
    )  # eq. 6.2
    residual = (y_K - probs_K) if printed else (probs_K - y_K)
    return residual @ by_unit @ by_z


@pytest.mark.parametrize("length", [0.3, 1.0, 4.0])
def test_the_gradient_is_the_closed_form_of_equation_6_3(length: float):
    code_KJ = torch.from_numpy(code_matrix("gaussian", LABELS, 4))
    z, y_K = F.normalize(drawn(4).double(), dim=0) * length, F.one_hot(torch.tensor(2), LABELS).double()
    z.requires_grad_()
    distances = slow_distances(z[None], code_KJ)
    (found,) = torch.autograd.grad(F.cross_entropy(distances, torch.tensor([2])), z)
    torch.testing.assert_close(closed_form(z.detach(), code_KJ, y_K), found, atol=1e-9, rtol=1e-9)
    printed = closed_form(z.detach(), code_KJ, y_K, printed=True)
    torch.testing.assert_close(-printed * length, found, atol=1e-9, rtol=1e-9)  # its ||z||^3 is one too many


def test_the_head_has_the_gradient_of_equation_6_3_in_its_outputs():
    head, x_BD = new(code="gaussian", bits=4, level=False, dropout=0.0).double(), drawn(1, FEATURES).double()
    code_KJ, y_K = head.decoder.weight, F.one_hot(torch.tensor(2), LABELS).double()
    with torch.no_grad():
        head.log_scale.zero_()
        scale = head.scale().item()
        z = head.fc(x_BD)[0]
    F.cross_entropy(head.classify(x_BD) / scale, torch.tensor([2])).backward()
    torch.testing.assert_close(
        head.fc.bias.grad, closed_form(z, code_KJ, y_K), atol=1e-6, rtol=1e-6
    )  # words: float32


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("code", ["data", "dense-random", "gaussian"])
def test_logits_are_scaled_distances_and_a_constant_of_each_label(code: str, level: bool):
    head, x_BD = new(code=code, bits=5, level=level), drawn(9, FEATURES)
    with torch.no_grad():
        head.decoder.bias.copy_(drawn(LABELS, seed=3))
        expected = head.scale() * (slow_distances(head.fc(x_BD), head.decoder.weight) + 1) + head.decoder.bias
        torch.testing.assert_close(head(x_BD), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(head.decoder.weight.norm(dim=1), torch.ones(LABELS))


def test_a_softmax_over_logits_is_that_over_distances():
    head, x_BD = new(code="gaussian"), drawn(9, FEATURES)
    with torch.no_grad():
        distances = slow_distances(head.fc(x_BD), head.decoder.weight)
        found = torch.softmax(head.raw_scores(x_BD), 1)
        torch.testing.assert_close(found, torch.softmax(head.scale() * distances, 1), atol=1e-6, rtol=1e-4)


def test_a_one_hot_code_of_all_bits_ranks_labels_as_the_plain_head():
    head, plain = new(code="one-hot", bits=LABELS, level=False), LinearHead(FEATURES, LABELS).eval()
    with torch.no_grad():
        plain.fc.weight.copy_(head.fc.weight)
        plain.fc.bias.copy_(head.fc.bias)
    x_BD = drawn(50, FEATURES)
    torch.testing.assert_close(head(x_BD).argsort(1), plain(x_BD).argsort(1))


def test_class_weights_give_a_labels_score_up_to_each_images_own_factor():
    head, x_BD = new(), drawn(IMAGES, FEATURES) * 3 + 1
    head.fit_standardisation(x_BD)
    with torch.no_grad():
        z_BJ = head.fc((x_BD - head.mean) / head.std)
        factor_B1 = head.scale() / z_BJ.norm(dim=1, keepdim=True)
        constant_K = head.decoder.weight @ (head.fc.bias - head.fc.weight @ (head.mean / head.std))
        scores_BK = x_BD @ head.classifier_weights().T + constant_K
        torch.testing.assert_close(head(x_BD), factor_B1 * scores_BK, atol=1e-5, rtol=1e-4)
    assert HeadEnsemble([head, new(1)]).classifier_weights().shape == (LABELS, FEATURES)


def test_the_data_code_brings_labels_together_that_come_together():
    head = new(bits=2)
    head.prepare(cells(), None)
    words_KJ = head.decoder.weight
    assert (words_KJ[0] @ words_KJ[1]).item() > 0.95
    assert (words_KJ[0] @ words_KJ[2:].T).max().item() < 0.95


def test_labels_that_look_alike_come_together_where_labels_never_meet():
    labels_NK = np.eye(LABELS, dtype=np.int8)[np.arange(IMAGES) % LABELS]
    centres_KD = drawn(LABELS, FEATURES) * 3
    centres_KD[1] = centres_KD[0] + 0.1
    features_ND = centres_KD[np.arange(IMAGES) % LABELS] + 0.1 * drawn(IMAGES, FEATURES, seed=1)
    by_look = new(bits=2)
    by_look.prepare(labels_NK, features_ND.half())
    assert (by_look.decoder.weight[0] @ by_look.decoder.weight[1]).item() > 0.95


@pytest.mark.parametrize("code", ["dense-random", "gaussian"])
def test_a_random_code_does_not_ask_the_data(code: str):
    head = new(code=code)
    before = head.decoder.weight.clone()
    head.prepare(cells(), drawn(IMAGES, FEATURES))
    assert torch.equal(head.decoder.weight, before)


def test_a_code_is_not_learnt():
    head = new(dropout=0.0).train()
    before, optimiser = head.decoder.weight.clone(), torch.optim.SGD(head.parameters(), lr=0.1)
    head(drawn(8, FEATURES)).square().sum().backward()
    optimiser.step()
    assert torch.equal(head.decoder.weight, before)


def test_a_head_that_is_read_has_the_code_and_the_bits_it_was_written_with():
    head, x_BD = new(bits=3), drawn(4, FEATURES)
    head.prepare(cells(), None)
    for bits in (0, 3, 5):
        twin = new(7, bits=bits)
        twin.load_state_dict(head.state_dict())
        assert torch.equal(twin(x_BD), head(x_BD))


def test_planted_labels_are_learnt_with_fewer_outputs_than_labels():
    labels, x_ND = 20, drawn(400, 12)
    truth_NK = ((x_ND @ drawn(12, labels, seed=5)) > 3).float()
    head = heads.build("ecoc", 12, labels, code="data", bits=11, dropout=0.0)
    head.prepare(truth_NK.numpy().astype(np.int8), x_ND)
    head.init_from_priors(truth_NK.mean(0).numpy())
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(head(x_ND), truth_NK).backward()
        optimiser.step()
    assert average_precision_score(truth_NK.numpy(), head(x_ND).detach().numpy()) > 0.9


def test_of_a_quarter_of_the_bits_a_data_code_is_enough_for_classes_and_one_hot_is_not():
    classes, per_class = 40, 20
    centres_KD = (drawn(8, 16) * 3).repeat_interleave(5, 0) + drawn(
        classes, 16, seed=1
    ) * 1.5  # 8 families of 5
    y_N = torch.arange(classes).repeat(per_class)
    train_ND, test_ND = (centres_KD[y_N] + drawn(len(y_N), 16, seed=seed) * 0.5 for seed in (2, 3))
    accuracy = {}
    for kind, bits in (("plain", classes), ("data", 10), ("one-hot", 10)):
        chosen = {} if kind == "plain" else {"code": kind, "bits": bits, "level": False}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = heads.build("linear" if kind == "plain" else "ecoc", 16, classes, dropout=0.0, **chosen)
        head.prepare(F.one_hot(y_N).numpy().astype(np.int8), train_ND)
        optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
        for _ in range(80):
            optimiser.zero_grad()
            F.cross_entropy(head.raw_scores(train_ND), y_N).backward()
            optimiser.step()
        accuracy[kind] = (head.raw_scores(test_ND).argmax(1) == y_N).float().mean().item()
    assert accuracy["data"] > accuracy["plain"] - 0.02
    assert accuracy["one-hot"] < 11.5 / classes  # ten classes with a bit, and one of those without


@pytest.fixture
def settings() -> Settings:
    """Settings with this head, as many bits as the labels allow."""
    return load_settings("quick", [*options(), "head.name=ecoc", "head.code=data"])


def test_a_retraining_keeps_code_words_by_label_and_finds_one_for_a_new_label(settings: Settings):
    old, x_BD = new(), drawn(5, FEATURES)
    old.prepare(cells(), None)
    matched = remap_head_labels(old, [5, 1, None, 2, 0], np.full(5, 0.2), settings).eval()
    assert isinstance(matched, Head)
    torch.testing.assert_close(matched(x_BD)[:, [0, 1, 3, 4]], old(x_BD)[:, [5, 1, 2, 0]])
    word = matched.state_dict()["decoder.weight"][2]
    assert word.norm().item() == pytest.approx(1, abs=1e-5)
    assert matched.state_dict()["decoder.bias"][2].item() == pytest.approx(np.log(0.2 / 0.8), abs=1e-4)
    grown = remap_head_labels(HeadEnsemble([old, new(1)]), [*range(6), None], np.full(7, 0.1), settings)
    assert grown(x_BD).shape == (5, 7)


def test_mixed_precision_and_compiling_stay_finite():
    head, x_BD = new(dropout=0.0).train(), drawn(8, FEATURES)
    expected = head(x_BD)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = head(x_BD.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.3, rtol=0.1)
    torch.testing.assert_close(torch.compile(head, backend="aot_eager")(x_BD), expected, atol=1e-5, rtol=1e-4)


def test_features_of_nothing_are_the_labels_shares_and_have_a_finite_gradient():
    head = new(dropout=0.0)
    head.init_from_priors(np.full(LABELS, 0.2))
    logits_BK = head(torch.zeros(2, FEATURES))
    torch.testing.assert_close(torch.sigmoid(logits_BK), torch.full((2, LABELS), 0.2))
    logits_BK.sum().backward()
    assert all(
        parameter.grad.isfinite().all() for parameter in head.parameters() if parameter.grad is not None
    )


def test_an_option_that_cannot_be_says_what_to_set():
    with pytest.raises(TaggerError, match=r"head.bits = 6: the code 'data' of 6 labels has at most 5 bits"):
        new(bits=6)
    with pytest.raises(TaggerError, match=r"head.similarity = 'label'.*Did you mean 'labels'"):
        new(similarity="label")
