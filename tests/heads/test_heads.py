"""Heads: what all of them promise, and the identities that the training stands on."""

import numpy as np
import pytest
import torch

from tagger.arrays import sigmoid
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble, LinearHead, MLPHead, heads, merge_linear_heads

FEATURES, LABELS = 7, 4


@pytest.fixture
def features_BD() -> torch.Tensor:
    """A batch of features on quite different scales."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, FEATURES, generator=generator) * torch.logspace(-2, 3, FEATURES) + 5


@pytest.fixture(params=heads.names())
def head(request: pytest.FixtureRequest) -> Head:
    """Every registered head, untrained, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return heads.build(request.param, FEATURES, LABELS).eval()


def trained(seed: int, features_BD: torch.Tensor) -> LinearHead:
    """A linear head with weights of its own, standardised on features of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = LinearHead(FEATURES, LABELS)
        head.fit_standardisation(features_BD[seed * 4 : seed * 4 + 8])
    return head.eval()


def test_a_head_gives_finite_float32_logits(head: Head, features_BD: torch.Tensor):
    head.fit_standardisation(features_BD)
    for features in (features_BD, features_BD.half(), features_BD[:1]):
        logits_BK = head(features)
        assert logits_BK.shape == (len(features), LABELS)
        assert logits_BK.dtype == torch.float32
        assert logits_BK.isfinite().all()


def test_every_weight_of_a_head_learns(head: Head, features_BD: torch.Tensor):
    head.fit_standardisation(features_BD)
    head(features_BD).square().sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_an_image_is_judged_alone(head: Head, features_BD: torch.Tensor):
    order = torch.randperm(len(features_BD), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(head(features_BD)[order], head(features_BD[order]))
    torch.testing.assert_close(head(features_BD)[3:4], head(features_BD[3:4]))


def test_a_head_draws_dropout_only_while_it_learns(head: Head, features_BD: torch.Tensor):
    head.fit_standardisation(features_BD)
    assert torch.equal(head(features_BD), head(features_BD))
    head.train()
    assert not torch.equal(head(features_BD), head(features_BD))


def test_a_head_starts_near_the_labels_shares(head: Head, features_BD: torch.Tensor):
    priors_K = np.array([0.5, 0.1, 0.01, 0.9])
    head.fit_standardisation(features_BD)
    head.init_from_priors(priors_K)
    np.testing.assert_allclose(sigmoid(head.output_layer().bias.detach().numpy()), priors_K, rtol=1e-4)
    mean = head(head.mean[None])  # standardised: the origin
    np.testing.assert_allclose(sigmoid(mean.detach().numpy())[0], priors_K, rtol=0.15)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_a_label_without_positives_or_negatives_starts_at_a_finite_bias(head: Head, prior: float):
    head.init_from_priors(np.full(LABELS, prior))
    assert head.output_layer().bias.isfinite().all()


def test_standardised_features_have_mean_0_and_deviation_1(features_BD: torch.Tensor):
    class Bare(Head):
        def classify(self, features_BD: torch.Tensor) -> torch.Tensor:
            return features_BD

    head = Bare(FEATURES, LABELS)
    head.fit_standardisation(features_BD.half())
    standard_BD = head(features_BD.half())
    torch.testing.assert_close(standard_BD.mean(0), torch.zeros(FEATURES), atol=1e-3, rtol=0)
    torch.testing.assert_close(standard_BD.std(0, correction=0), torch.ones(FEATURES), atol=1e-3, rtol=0)


def test_a_constant_feature_does_not_become_infinite(head: Head):
    head.fit_standardisation(torch.ones(8, FEATURES))
    assert head(torch.ones(2, FEATURES)).isfinite().all()


def test_standardisation_travels_with_the_weights(head: Head, features_BD: torch.Tensor):
    head.fit_standardisation(features_BD)
    twin = type(head)(FEATURES, LABELS).eval()
    twin.load_state_dict(head.state_dict())
    assert torch.equal(twin(features_BD), head(features_BD))


def test_merged_linear_heads_give_the_mean_logits(features_BD: torch.Tensor):
    members = [trained(seed, features_BD) for seed in range(3)]
    mean = torch.stack([head(features_BD) for head in members]).mean(0)
    torch.testing.assert_close(merge_linear_heads(members).eval()(features_BD), mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(HeadEnsemble(members)(features_BD), mean)


def test_merging_changes_no_member(features_BD: torch.Tensor):
    members = [trained(seed, features_BD) for seed in range(2)]
    before = [{name: t.clone() for name, t in head.state_dict().items()} for head in members]
    merge_linear_heads(members)
    for head, state in zip(members, before, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in head.state_dict().items())


def test_one_head_merged_or_ensembled_is_itself(features_BD: torch.Tensor):
    head = trained(0, features_BD)
    torch.testing.assert_close(
        merge_linear_heads([head]).eval()(features_BD), head(features_BD), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(HeadEnsemble([head])(features_BD), head(features_BD))


def test_a_head_takes_its_own_options_only():
    assert heads.options("linear") == {"dropout": 0.5}
    assert heads.build("mlp", FEATURES, LABELS, hidden=3).output_layer().in_features == 3
    assert isinstance(heads.build("mlp", FEATURES, LABELS), MLPHead)
    with pytest.raises(TaggerError, match=r"has no option 'dropuot'. Did you mean 'dropout'"):
        heads.build("linear", FEATURES, LABELS, dropuot=0.1)
    with pytest.raises(TaggerError, match=r"Unknown head 'liner'. Did you mean 'linear'"):
        heads.build("liner", FEATURES, LABELS)


def test_features_are_standardised_by_all_rows_however_many_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
):
    features_ND = (torch.randn(101, 6, generator=torch.Generator().manual_seed(0)) * 3 + 50).half()
    for at_once in (7, 4096):
        monkeypatch.setattr("tagger.heads.base.ROWS_AT_ONCE", at_once)
        head = LinearHead(6, 2)
        head.fit_standardisation(features_ND)
        torch.testing.assert_close(head.mean.double(), features_ND.double().mean(0), rtol=1e-6, atol=0)
        torch.testing.assert_close(
            head.std.double(), features_ND.double().std(0, correction=0), rtol=1e-5, atol=0
        )
