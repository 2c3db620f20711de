"""A T5 for bench_torch.py as one would write it today: Hugging Face's weights and modules, sequences packed without padding,
and PyTorch's FlexAttention with a mask by text and T5's bias for distances.

A batch's texts lie one behind the other; the rest up to a round length is a text of its own without labels. Several targets
may read one source, so that preference training encodes a prompt once. FlexAttention has no dropout of probabilities:
that is left out, which makes this rival a little faster than the others.
"""

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

BLOCK = 128


def packed_rows(rows, step, device):
    """Tokens, number of the text of each token, its distance from the text's start; up to a multiple of `step`."""
    room = -sum(map(len, rows)) % step
    texts = rows + ([[0] * room] if room else [])
    tokens = torch.tensor([t for row in texts for t in row], device=device)
    text = torch.tensor([i for i, row in enumerate(texts) for _ in row], device=device)
    return tokens, text


def pack(sources, targets, source_of, step, device):
    """source_of: for each target its source. Decoder inputs are the targets moved by one, as in T5."""
    source, source_text = packed_rows(sources, step, device)
    labels, target_text = packed_rows(targets, step, device)
    inputs, _ = packed_rows([[0] + row[:-1] for row in targets], step, device)
    labels = torch.where(target_text < len(targets), labels, -100)
    # The padding of targets reads the padding of sources, or the last source.
    reads = torch.tensor(source_of + [int(source_text[-1])], device=device)[target_text]

    def same_source_text(b, h, q, k):
        return source_text[q] == source_text[k]

    def earlier_in_target(b, h, q, k):
        return (target_text[q] == target_text[k]) & (q >= k)

    def source_of_target(b, h, q, k):
        return reads[q] == source_text[k]

    make = torch.compile(create_block_mask) if device != "cpu" else create_block_mask
    n, m = len(source), len(labels)
    return {
        "source": source, "inputs": inputs, "labels": labels, "target_text": target_text, "targets": len(targets),
        "longest": -(-max(map(len, sources + targets)) // 32) * 32,  # in few values, since it is compiled
        "encoder_mask": make(same_source_text, None, None, n, n, device=device),
        "decoder_mask": make(earlier_in_target, None, None, m, m, device=device),
        "cross_mask": make(source_of_target, None, None, m, n, device=device)}


def plain_attention(q, k, v, score_mod, block_mask, scale):
    """The same by plain tensors: FlexAttention has no backward on the CPU."""
    at = [torch.arange(n) for n in (q.shape[1], q.shape[2], k.shape[2])]
    h, i, j = at[0][:, None, None], at[1][None, :, None], at[2][None, None, :]
    scores = q @ k.transpose(-1, -2) * scale
    if score_mod:
        scores = score_mod(scores, 0, h, i, j)
    return scores.masked_fill(~block_mask.mask_mod(0, h, i, j), float("-inf")).softmax(-1) @ v


class PackedT5(torch.nn.Module):
    def __init__(self, model, device):
        super().__init__()
        self.model = model
        self.compiled = torch.compile(flex_attention, dynamic=False) if device != "cpu" else None

    def attend(self, q, k, v, **how):
        if self.compiled:
            return self.compiled(q, k, v, **how)
        return plain_attention(q, k, v, **how) if torch.is_grad_enabled() else flex_attention(q, k, v, **how)

    def bias(self, stack, longest):
        """[2 longest - 1, heads]: the bias of each distance from a query to a key."""
        layer = stack.block[0].layer[0].SelfAttention
        distance = torch.arange(1 - longest, longest, device=layer.o.weight.device)
        bucket = layer._relative_position_bucket(
            distance, bidirectional=not stack.is_decoder, num_buckets=layer.relative_attention_num_buckets,
            max_distance=layer.relative_attention_max_distance)
        return layer.relative_attention_bias(bucket)

    def attention(self, layer, x, memory, mask, score_mod):
        def heads(y):
            return y.view(1, len(y), layer.n_heads, layer.key_value_proj_dim).transpose(1, 2)
        q, k, v = heads(layer.q(x)), heads(layer.k(memory)), heads(layer.v(memory))
        out = self.attend(q, k, v, score_mod=score_mod, block_mask=mask, scale=1.0)
        return layer.o(out.transpose(1, 2).reshape(len(x), -1))

    def stack(self, stack, x, mask, longest, memory=None, cross_mask=None):
        table = self.bias(stack, longest)

        def with_bias(score, b, h, q, k):
            return score + table[(k - q).clamp(1 - longest, longest - 1) + longest - 1, h]

        x = stack.dropout(x)
        for block in stack.block:
            layer = block.layer[0]
            y = layer.layer_norm(x)
            x = x + layer.dropout(self.attention(layer.SelfAttention, y, y, mask, with_bias))
            if memory is not None:
                layer = block.layer[1]
                y = layer.layer_norm(x)
                x = x + layer.dropout(self.attention(layer.EncDecAttention, y, memory, cross_mask, None))
            x = block.layer[-1](x)
        return stack.dropout(stack.final_layer_norm(x))

    def forward(self, batch):
        """Losses of all target tokens; 0 where there is no label."""
        model, embed = self.model, self.model.shared
        memory = self.stack(model.encoder, embed(batch["source"]), batch["encoder_mask"], batch["longest"])
        x = self.stack(
            model.decoder, embed(batch["inputs"]), batch["decoder_mask"], batch["longest"], memory, batch["cross_mask"])
        if model.config.tie_word_embeddings:
            x = x * model.config.d_model**-0.5
        return torch.nn.functional.cross_entropy(model.lm_head(x).float(), batch["labels"], reduction="none")


def log_probabilities(losses, batch):
    """Of each target as a whole."""
    sums = losses.new_zeros(batch["targets"] + 1)
    return -sums.index_add(0, batch["target_text"], losses)[:-1]


def chosen_nll(losses, batch):
    """The sum over the tokens of the chosen texts, which are every other one, and their number."""
    chosen = (batch["target_text"] % 2 == 0) & (batch["labels"] != -100)
    return (losses * chosen).sum(), chosen.sum()
