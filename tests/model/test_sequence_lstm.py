"""The LSTM against the equations in NumPy, one number at a time, and against torch.nn.LSTM."""

import numpy as np
import torch

from tagger.model import SequenceLstm

U, D, H, K = 9, 5, 4, 3
WINDOWS = np.array([[-1, -1, -1, 2], [0, 1, 2, 3], [-1, 6, 7, 8], [-1, -1, 4, 5]])


def learnt() -> SequenceLstm:
    """Random weights everywhere, as after a training."""
    torch.manual_seed(0)
    lstm = SequenceLstm(D, K, hidden=H)
    with torch.no_grad():
        for tensor in (*lstm.parameters(), lstm.mean):
            tensor.normal_()
        lstm.std.uniform_(0.5, 2.0)
    return lstm


def features() -> torch.Tensor:
    """Features of some frames."""
    return torch.randn(U, D, generator=torch.Generator().manual_seed(1))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slow_scores(lstm, features_UD, windows_BT):
    """Equations 2.4 to 2.9 of the thesis, a gate at a time; frames before the first are not there."""
    parts = {name: tensor.detach().numpy().astype(np.float64) for name, tensor in lstm.state_dict().items()}
    rows = []
    for window in windows_BT:
        h, c = np.zeros(H), np.zeros(H)
        for at in window:
            if at < 0:
                continue
            x = (features_UD[at] - parts["mean"]) / parts["std"]
            gate = {}
            for n, name in enumerate("ifgo"):  # torch's order of the gates
                mine = slice(n * H, (n + 1) * H)
                gate[name] = (
                    parts["lstm.weight_ih_l0"][mine] @ x
                    + parts["lstm.bias_ih_l0"][mine]
                    + parts["lstm.weight_hh_l0"][mine] @ h
                    + parts["lstm.bias_hh_l0"][mine]
                )
            c = sigmoid(gate["f"]) * c + sigmoid(gate["i"]) * np.tanh(gate["g"])
            h = sigmoid(gate["o"]) * np.tanh(c)
        rows.append(parts["out.weight"] @ h + parts["out.bias"])
    return np.array(rows)


def test_scores_equal_the_equations_written_out():
    lstm = learnt()
    found = lstm(features(), torch.from_numpy(WINDOWS)).detach().numpy()
    np.testing.assert_allclose(found, slow_scores(lstm, features().numpy(), WINDOWS), rtol=1e-5, atol=1e-6)


def test_scores_equal_torchs_own_lstm_on_windows_without_a_gap():
    lstm = learnt()
    windows = torch.tensor([[0, 1, 2, 3], [3, 4, 5, 6]])
    inputs_TBD = ((features() - lstm.mean) / lstm.std)[windows].transpose(0, 1)
    expected = lstm.out(lstm.lstm(inputs_TBD)[0][-1])
    torch.testing.assert_close(lstm(features(), windows), expected, rtol=1e-5, atol=1e-6)


def test_a_new_lstm_adds_exactly_nothing():
    lstm = SequenceLstm(D, K, hidden=H)
    scores = torch.randn(len(WINDOWS), K)
    assert torch.equal(scores + lstm(features(), torch.from_numpy(WINDOWS)), scores)


def test_what_is_no_frame_leaves_the_scores_as_they_are():
    lstm = learnt()
    short, padded = torch.tensor([[4, 5]]), torch.tensor([[-1, -1, 4, -1, 5]])
    assert torch.equal(lstm(features(), short), lstm(features(), padded))


def test_standardised_features_have_mean_0_and_deviation_1():
    lstm = SequenceLstm(D, K, hidden=H)
    features_ND = 3 * torch.randn(700, D) + 5
    lstm.fit_standardisation(features_ND)
    made = (features_ND - lstm.mean) / lstm.std
    torch.testing.assert_close(made.mean(0), torch.zeros(D), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.std(0, correction=0), torch.ones(D), atol=1e-5, rtol=0)
