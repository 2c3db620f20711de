"""Hugging Face's T5 in PyTorch, trained as its trainer and TRL's do: what bench_torch.py and bench_peers.py share."""

import torch
from transformers import T5Config, T5ForConditionalGeneration

from .shapes import SHAPES

BETA, NLL = 0.1, 0.5  # of preference training, as in `tinythinker bench`


def model_of(name, dropout=0.1, device="cpu"):
    shape = SHAPES[name]
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=shape.vocabulary, d_model=shape.d_model, d_kv=shape.d_kv, d_ff=shape.d_ff, num_layers=shape.layers,
        num_heads=shape.heads, dropout_rate=dropout, decoder_start_token_id=0)
    return T5ForConditionalGeneration(config).to(device)


def optimizer_of(model):
    """The trainer's default since 4.57."""
    return torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)


def padded(rows, fill, device, multiple=1):
    """Rows up to the longest of them, or to the next multiple."""
    longest = -(-max(map(len, rows)) // multiple) * multiple
    return torch.tensor([r + [fill] * (longest - len(r)) for r in rows], device=device)


def batch_of(sources, targets, device="cpu", multiple=1):
    """One source for each target; the labels of padding count for nothing."""
    source = padded(sources, 0, device, multiple)
    return {
        "input_ids": source, "attention_mask": (source != 0).long(), "labels": padded(targets, -100, device, multiple)}


def forward(model, batch):
    return model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"], use_cache=False)


def supervised_loss(model, batch):
    return forward(model, batch).loss


def preference_loss(model, batch):
    """DPO with the NLL of the chosen texts; rows alternate: chosen, rejected. The reference's log-probabilities, which are
    precomputed, are invented here. All logits in fp32, and the chosen ones once more for the NLL, as in TRL."""
    logits, labels = forward(model, batch).logits.float(), batch["labels"]
    known = labels != -100
    picked = logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    logp = (picked * known).sum(-1)
    nll = torch.nn.functional.cross_entropy(logits[0::2].flatten(0, 1), labels[0::2].flatten(), ignore_index=-100)
    return dpo(logp) + NLL * nll


def dpo(logp):
    return -torch.nn.functional.logsigmoid(BETA * (logp[0::2] - logp[1::2] - 1.0)).mean()


def update(model, optimizer, loss):
    """The rest of a step; returns the loss as a number."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    value = loss.item()
    assert value == value, "the loss is not a number"
    return value
