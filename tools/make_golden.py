"""Makes tests/golden/*.h5: what PyTorch and Hugging Face compute, for our tests to compare with.

    python3 -m venv env && env/bin/pip install -r tools/requirements-golden.txt
    env/bin/python tools/make_golden.py --data DIR [--out tests/golden]

DIR holds csqa/, obqa/ and strategyqa/ as their authors publish them (tools/fetch_datasets.sh); some of their
questions become test strings. The files are the same whenever they are made with the pinned versions on one
kind of machine; elsewhere last digits differ.
"""

import argparse
import io
import json
import math
import os
import random

import h5py
import numpy as np
import sentencepiece
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

# name, gated GELU, tied, d_model, d_kv, heads, d_ff, layers, decoder layers, buckets, max distance
MODELS = [
    ("t5_1_0_tied", False, True, 16, 5, 3, 24, 2, 2, 32, 128),
    ("t5_1_0_untied", False, False, 12, 4, 2, 20, 1, 2, 8, 20),
    ("t5_1_1_tied", True, True, 12, 7, 3, 20, 2, 1, 16, 40),
    ("t5_1_1_untied", True, False, 16, 4, 4, 24, 2, 2, 32, 128),
]
VOCABULARY = 61
SOURCES = [1, 7, 20, 33, 2]  # lengths
TARGETS = [5, 1, 18, 9, 40]


def model_of(spec, seed):
    name, gated, tied, d_model, d_kv, heads, d_ff, layers, decoder_layers, buckets, distance = spec
    config = T5Config(
        vocab_size=VOCABULARY, d_model=d_model, d_kv=d_kv, num_heads=heads, d_ff=d_ff, num_layers=layers,
        num_decoder_layers=decoder_layers, relative_attention_num_buckets=buckets,
        relative_attention_max_distance=distance, dropout_rate=0.0,
        feed_forward_proj="gated-gelu" if gated else "relu", tie_word_embeddings=tied,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(config).eval()
    # Norms are not one, biases matter; and gentle enough that bf16, which flips a ReLU now and then, stays
    # within a percent: so small a model averages nothing out.
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "layer_norm" in key or "relative_attention_bias" in key:
                p += 0.3 * torch.randn_like(p)
            elif "Attention" in key or "Dense" in key:
                p *= 0.6
        if not tied:
            model.lm_head.weight *= 0.5
        model.lm_head.weight[1] *= 1.5  # texts end
    return model


def random_ids(generator, n):
    ids = [generator.randrange(2, VOCABULARY) for _ in range(n - 1)]
    return ids + [1]


def padded(sequences, fill):
    width = max(map(len, sequences))
    return torch.tensor([s + [fill] * (width - len(s)) for s in sequences])


def inputs_of(sources):
    ids = padded(sources, 0)
    return {"input_ids": ids, "attention_mask": torch.tensor([[int(i < len(s)) for i in range(ids.shape[1])]
                                                              for s in sources])}


def parameters_of(model):
    """Names and values; a shared tensor once, under the name that checkpoints use."""
    return {key: p for key, p in model.named_parameters()}


def put_sequences(group, name, sequences):
    group[name] = np.array([i for s in sequences for i in s], np.int32)
    group[name + "_offsets"] = np.cumsum([0] + [len(s) for s in sequences]).astype(np.int32)


def put_forward(file, model, sources, targets):
    labels = padded(targets, -100)
    model.zero_grad()
    out = model(**inputs_of(sources), labels=labels)
    out.loss.backward()
    logits = np.concatenate([out.logits[i, : len(t)].detach().numpy() for i, t in enumerate(targets)])
    file["logits"] = logits
    file["loss"] = np.array([out.loss.item()], np.float64)
    for key, p in parameters_of(model).items():
        file["gradients/" + key] = p.grad.numpy().copy()
    file["bf16_distance"] = bf16_distance(file, model, sources, labels)


def bf16_distance(file, model, sources, labels):
    """How far PyTorch's own gradient is from that in fp32 when it computes in bf16 (autocast), relative to the latter."""
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**inputs_of(sources), labels=labels).loss
    loss.backward()
    difference = size = 0.0
    for key, p in parameters_of(model).items():
        exact = file["gradients/" + key][()].astype(np.float64)
        difference += ((p.grad.numpy() - exact) ** 2).sum()
        size += (exact**2).sum()
    return np.array([math.sqrt(difference / size)], np.float64)


def put_updates(file, model, sources, targets):
    """Three AdamW steps, gradients clipped to norm 0.5, cosine schedule of ten steps without warm-up. eps is
    1e-6: at 1e-8 an element whose gradient is nothing but rounding would be updated as far as any other."""
    labels = padded(targets, -100)
    start = {k: p.detach().clone() for k, p in parameters_of(model).items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, 0, 10)
    losses, norms, rates = [], [], []
    for step in range(3):
        optimizer.zero_grad()
        loss = model(**inputs_of(sources), labels=labels).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5).item())
        rates.append(schedule.get_last_lr()[0])
        losses.append(loss.item())
        before = {k: p.detach().clone() for k, p in parameters_of(model).items()}
        optimizer.step()
        schedule.step()
        for key, p in parameters_of(model).items():
            file[f"updates/{step}/{key}"] = (p.detach() - before[key]).numpy()
    file["updates_loss"] = np.array(losses, np.float64)
    file["updates_norm"] = np.array(norms, np.float64)
    file["updates_rate"] = np.array(rates, np.float64)
    with torch.no_grad():
        for key, p in parameters_of(model).items():
            p.copy_(start[key])


# max_length, min_length, repetition penalty, beams, length penalty, early stopping
DECODINGS = [
    (20, 0, 1.0, 1, 1.0, False),
    (2, 0, 1.0, 1, 1.0, False),
    (20, 12, 1.0, 1, 1.0, False),
    (20, 0, 1.7, 1, 1.0, False),
    (20, 0, 1.0, 4, 1.0, False),
    (20, 0, 1.0, 4, 1.0, True),
    (20, 0, 1.0, 4, 1.0, "never"),
    (20, 0, 1.0, 3, 0.3, False),
    (20, 0, 1.0, 5, 2.0, "never"),
    (20, 0, 1.0, 5, -0.5, True),
    (20, 9, 1.4, 4, 0.8, False),
    (3, 0, 1.0, 2, 1.0, False),
]


def put_decodings(file, model, sources):
    for i, (max_length, min_length, penalty, beams, length_penalty, early) in enumerate(DECODINGS):
        group = file.create_group(f"decoding/{i}")
        group["settings"] = np.array([max_length, min_length, penalty, beams, length_penalty,
                                      {False: 0, True: 1, "never": 2}[early]], np.float64)
        texts, scores = [], []
        for source in sources:  # one by one: padding would round otherwise
            with torch.no_grad():
                out = model.generate(
                    **inputs_of([source]), do_sample=False, max_length=max_length, min_length=min_length,
                    repetition_penalty=penalty, num_beams=beams, num_return_sequences=beams,
                    length_penalty=length_penalty, early_stopping=early, output_scores=True,
                    output_logits=True, return_dict_in_generate=True, use_cache=False)
            for row in range(beams):
                ids = out.sequences[row].tolist()[1:]
                n = ids.index(1) + 1 if 1 in ids else len(ids)
                if 1 not in ids:  # unfinished texts are padded with 0, which may also be a token
                    n = min(n, max_length - 1)
                texts.append(ids[:n])
                if beams > 1:
                    scores.append(out.sequences_scores[row].item())
                else:  # the sum of what log-softmax of the unchanged logits gives the tokens
                    scores.append(sum(torch.log_softmax(out.logits[t][0].double(), -1)[ids[t]].item()
                                      for t in range(n)))
        put_sequences(group, "ids", texts)
        group["scores"] = np.array(scores, np.float64)


# temperature, top k, top p
SAMPLINGS = [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.0, 5, 1.0), (1.0, 0, 0.6), (0.7, 20, 0.9), (1.5, 7, 0.5)]


def put_samplings(file, model, source):
    with torch.no_grad():
        logits = model(**inputs_of([source]), decoder_input_ids=torch.tensor([[0, 7, 11]])).logits[:, -1]
    file["sampling/logits"] = logits[0].numpy()
    rows = []
    for temperature, k, p in SAMPLINGS:
        warpers = LogitsProcessorList()
        if temperature != 1.0:
            warpers.append(TemperatureLogitsWarper(temperature))
        if k:
            warpers.append(TopKLogitsWarper(k))
        if p < 1:
            warpers.append(TopPLogitsWarper(p))
        rows.append(torch.softmax(warpers(None, logits.double()), -1)[0].numpy())
    file["sampling/settings"] = np.array(SAMPLINGS, np.float64)
    file["sampling/probabilities"] = np.array(rows, np.float64)


def make_model(path, spec, seed):
    generator = random.Random(seed)
    model = model_of(spec, seed)
    sources = [random_ids(generator, n) for n in SOURCES]
    targets = [random_ids(generator, n) for n in TARGETS]
    with h5py.File(path, "w") as file:
        file.attrs["tinythinker"] = "golden"
        c = model.config
        file["config"] = np.array(
            [c.vocab_size, c.d_model, c.d_kv, c.d_ff, c.num_layers, c.num_decoder_layers, c.num_heads,
             c.relative_attention_num_buckets, c.relative_attention_max_distance, int(spec[1]), int(spec[2])],
            np.int32)
        for key, p in parameters_of(model).items():
            file["weights/" + key] = p.detach().numpy().copy()
        put_sequences(file, "sources", sources)
        put_sequences(file, "targets", targets)
        put_forward(file, model, sources, targets)
        put_updates(file, model, sources, targets)
        put_decodings(file, model, sources)
        put_samplings(file, model, sources[2])


# model, rank, alpha, weights
ADAPTERS = [
    ("t5_1_0_tied", 3, 4.5, ["q", "k", "v", "o", "wi", "wo"]),
    ("t5_1_1_untied", 4, 8, ["q", "v", "wi_1"]),
]


def adapters_of(model):
    """PEFT's A and B under the names that adapter_model.safetensors has, without its prefix."""
    return {key.removeprefix("base_model.model.").replace(".default.weight", ".weight"): p
            for key, p in model.named_parameters() if p.requires_grad}


def make_adapters(path):
    """PEFT's gradients of adapters that are not zero, and some of their updates by AdamW."""
    with h5py.File(path, "w") as file:
        file.attrs["tinythinker"] = "golden"
        for name, rank, alpha, targets in ADAPTERS:
            seed = [spec[0] for spec in MODELS].index(name) + 1
            generator = random.Random(seed)
            model = model_of(MODELS[seed - 1], seed)
            sources = [random_ids(generator, n) for n in SOURCES]
            inputs, labels = inputs_of(sources), padded([random_ids(generator, n) for n in TARGETS], -100)
            torch.manual_seed(seed + 40)
            model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)).eval()
            group = file.create_group(name)
            group["rank"], group["alpha"] = np.array([rank], np.int32), np.array([alpha], np.float64)
            group["targets"] = targets
            adapters = adapters_of(model)
            with torch.no_grad():
                for key, p in adapters.items():
                    if "lora_B" in key:
                        p += 0.2 * torch.randn_like(p)
                    group[f"start/{key}"] = p.numpy()
            optimizer = torch.optim.AdamW(adapters.values(), lr=3e-3, betas=(0.9, 0.999), eps=1e-6,
                                          weight_decay=0.01)
            losses, norms = [], []
            for step in range(6):
                optimizer.zero_grad()
                loss = model(**inputs, labels=labels).loss
                loss.backward()
                if step == 0:
                    for key, p in adapters.items():
                        group[f"gradients/{key}"] = p.grad.numpy()
                norms.append(torch.nn.utils.clip_grad_norm_(adapters.values(), 0.5).item())
                losses.append(loss.item())
                optimizer.step()
            for key, p in adapters.items():
                group[f"end/{key}"] = p.detach().numpy()
            group["loss"], group["norm"] = np.array(losses, np.float64), np.array(norms, np.float64)
            merged = model.merge_and_unload()
            key = "encoder.block.0.layer.0.SelfAttention.v.weight"
            group[f"merged/{key}"] = dict(merged.named_parameters())[key].detach().numpy()


def text_logps(model, sources, texts, mean):
    """Log-probability of each text given its source: the sum over its tokens, or their mean."""
    labels = padded(texts, -100)
    logits = model(**inputs_of(sources), labels=labels).logits
    mask = labels != -100
    each = torch.gather(torch.log_softmax(logits, -1), 2, labels.clamp(min=0)[:, :, None])[:, :, 0] * mask
    return each.sum(-1) / (mask.sum(-1) if mean else 1), -(each.sum() / mask.sum())


# loss, beta, label smoothing, weight of the NLL term, mean over tokens
PREFERENCES = [
    ("sigmoid", 0.1, 0.0, 0.0, False),
    ("sigmoid", 0.5, 0.0, 0.5, False),
    ("sigmoid", 0.1, 0.1, 0.0, False),
    ("sigmoid", 2.0, 0.0, 1.0, True),
    ("hinge", 0.3, 0.0, 0.0, False),
    ("ipo", 0.1, 0.0, 0.0, True),
    ("robust", 0.2, 0.2, 0.25, False),
]


def preference_loss(kind, beta, smoothing, margin):
    """Losses of a batch of pairs as TRL's DPOTrainer defines them; margin = policy - reference log-ratio."""
    log_sigmoid = torch.nn.functional.logsigmoid
    if kind == "sigmoid":
        return -log_sigmoid(beta * margin) * (1 - smoothing) - log_sigmoid(-beta * margin) * smoothing
    if kind == "robust":
        return (-log_sigmoid(beta * margin) * (1 - smoothing)
                + log_sigmoid(-beta * margin) * smoothing) / (1 - 2 * smoothing)
    if kind == "hinge":
        return torch.relu(1 - beta * margin)
    assert kind == "ipo"
    return (margin - 1 / (2 * beta)) ** 2


def make_preference(path):
    generator = random.Random(5)
    spec = MODELS[0]
    policy, reference = model_of(spec, 11), model_of(spec, 11)
    with torch.no_grad():
        torch.manual_seed(12)
        for p in reference.parameters():
            p += 0.05 * torch.randn_like(p)
    sources = [random_ids(generator, n) for n in [9, 3, 14, 6]]
    chosen = [random_ids(generator, n) for n in [4, 11, 2, 7]]
    rejected = [random_ids(generator, n) for n in [6, 3, 9, 7]]
    with h5py.File(path, "w") as file:
        file.attrs["tinythinker"] = "golden"
        c = policy.config
        file["config"] = np.array(
            [c.vocab_size, c.d_model, c.d_kv, c.d_ff, c.num_layers, c.num_decoder_layers, c.num_heads,
             c.relative_attention_num_buckets, c.relative_attention_max_distance, 0, 1], np.int32)
        for key, p in parameters_of(policy).items():
            file["weights/" + key] = p.detach().numpy().copy()
        put_sequences(file, "sources", sources)
        put_sequences(file, "chosen", chosen)
        put_sequences(file, "rejected", rejected)
        for i, (kind, beta, smoothing, weight, mean) in enumerate(PREFERENCES):
            group = file.create_group(f"preference/{i}")
            group.attrs["loss"] = kind
            group["settings"] = np.array([beta, smoothing, weight, mean], np.float64)
            with torch.no_grad():
                reference_chosen = text_logps(reference, sources, chosen, mean)[0]
                reference_rejected = text_logps(reference, sources, rejected, mean)[0]
            policy.zero_grad()
            logp_chosen, nll = text_logps(policy, sources, chosen, mean)
            logp_rejected, _ = text_logps(policy, sources, rejected, mean)
            margin = (logp_chosen - logp_rejected) - (reference_chosen - reference_rejected)
            loss = preference_loss(kind, beta, smoothing, margin).mean() + weight * nll
            loss.backward()
            group["reference_chosen"] = reference_chosen.double().numpy()
            group["reference_rejected"] = reference_rejected.double().numpy()
            group["logp_chosen"] = logp_chosen.detach().double().numpy()
            group["logp_rejected"] = logp_rejected.detach().double().numpy()
            group["loss"] = np.array([loss.item(), nll.item()], np.float64)
            if weight > 0:  # of the others, finite differences tell
                for key, p in parameters_of(policy).items():
                    group["gradients/" + key] = p.grad.numpy().copy()


def make_buckets(path):
    distances = torch.arange(-600, 601)
    bucket = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket
    with h5py.File(path, "w") as file:
        file.attrs["tinythinker"] = "golden"
        for buckets, distance in [(32, 128), (8, 20), (16, 40), (64, 512), (4, 3)]:
            for both in [True, False]:
                file[f"{buckets}_{distance}/{'both' if both else 'causal'}"] = bucket(
                    distances, bidirectional=both, num_buckets=buckets, max_distance=distance).numpy().astype(
                        np.int32)


def questions(data):
    """200 questions of each data set, from all over the files."""
    out = []
    with open(os.path.join(data, "csqa/train_rand_split.jsonl"), encoding="utf-8") as f:
        csqa = [json.loads(line)["question"] for line in f]
    out += [q["stem"] + " " + q["choices"][2]["text"] for q in csqa[:: len(csqa) // 200][:200]]
    with open(os.path.join(data, "obqa/train.jsonl"), encoding="utf-8") as f:
        obqa = [json.loads(line)["question"] for line in f]
    out += [q["stem"] + "\n(A) " + q["choices"][0]["text"] for q in obqa[:: len(obqa) // 200][:200]]
    with open(os.path.join(data, "strategyqa/train.json"), encoding="utf-8") as f:
        strategyqa = json.load(f)
    out += [q["question"] + "\n(A) yes (B) no\nRecall:" for q in strategyqa[:: len(strategyqa) // 200][:200]]
    return out


ODD_TEXTS = [
    "", " ", "  ", "\n", "\n\n", "\t", "a", " a", "a ", "  a  b  ", "a\nb", "a\n\nb", "a\r\nb", "a\tb",
    "double  spaces   and    more", "trailing newline\n", "{braces} and {more}", "<unk>", "</s>", "a</s>",
    "a </s> b", "<pad>", "<pad><pad>x", "<extra_id_0>", "<extra_id_99>", "<extra_id_100>", "<extra_id_01>",
    "<extra_id_7> and <extra_id_8>", "x<extra_id_3>y", "x <extra_id_3> y", "<extra_id_3", "<extra_id_-1>",
    "< extra_id_0 >", "<EXTRA_ID_0>", "Zürich, naïve café", "Zu\u0308rich", "ﬁ ligature ①", "ＦＵＬＬ ｗｉｄｔｈ",
    "Straße", "İstanbul ı", "日本語のテキスト", "русский текст", "ελληνικά", "עברית", "العربية", "हिन्दी", "ไทย",
    "😀", "a😀b", "👩‍👩‍👧‍👦 family", "🇨🇭", "e\u0301", "\u00a0non-breaking\u00a0space", "zero\u200bwidth", "\u200e\u200f",
    "\ufeffbom", "soft\u00adhyphen", "\u2028line\u2029paragraph", "\x01\x02", "a\x01b", "\x7f", "bell\x07", "esc\x1b[0m",
    "\u0085next line", "\ufffd", "\U0010ffff", "\ue000 private", "…", "“quotes” ‘single’ —dash– ‐hyphen",
    "don't can't won't I'm he's we've they're", "it ' s", "1,000.50 ! ? .", "a . b , c ! d ? e", "n't 'm 's",
    "supercalifragilisticexpialidocious" * 8, "x" * 300, "ab" * 500, "0123456789" * 20, "." * 50, "( " * 40,
    "antidisestablishmentarianism", "So the answer is option A.", "So the answer is option Z.",
    "Recall: a\nAnalyze: For option A, b For option B, c\nSummarize:", "(A) (B) (C)", "(A)(B)", "▁", "a▁b", "▁▁ x",
    "\\n", "\"", "'", "''", "`", "C++ & C#; a/b \\ c | d ~ e ^ f", "100% $5 €3 £2 ¥1 ©®™", "x²+y³=½", "<", ">", "<<>>",
    "<s>", "[MASK]", "http://example.org/a?b=c&d=e#f", "e-mail: a@b.example",
]


def make_tokenizer(path, data):
    texts = questions(data)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for t in texts for line in t.split("\n")]), model_writer=model,
        model_type="unigram", vocab_size=1500, character_coverage=0.9995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        normalization_rule_name="nmt_nfkc", num_threads=1, minloglevel=2)
    spm = path + ".model"
    with open(spm, "wb") as f:
        f.write(model.getvalue())
    tokenizer = T5Tokenizer(spm, legacy=True, extra_ids=100)
    os.remove(spm)
    texts = texts + ODD_TEXTS
    ids, decoded = [], []
    generator = random.Random(3)
    for text in texts:
        ids.append(tokenizer(text).input_ids)
    # What is decoded: the encoded texts, and random ids as a model may write them.
    random_texts = [[generator.randrange(0, 1600) for _ in range(generator.randrange(0, 30))] for _ in range(200)]
    sequences = ids + random_texts
    for s in sequences:
        until = s[: s.index(1)] if 1 in s else s
        decoded.append(tokenizer.decode(until, skip_special_tokens=True, clean_up_tokenization_spaces=True))
    text_type = h5py.string_dtype("utf-8")
    with h5py.File(path, "w") as file:
        file.attrs["tinythinker"] = "golden"
        file["model"] = np.frombuffer(model.getvalue(), np.uint8)
        file.create_dataset("texts", data=texts, dtype=text_type, compression="gzip")
        put_sequences(file, "ids", ids)
        put_sequences(file, "sequences", sequences)
        file.create_dataset("decoded", data=decoded, dtype=text_type, compression="gzip")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", default="tests/golden")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    for seed, spec in enumerate(MODELS):
        make_model(os.path.join(arguments.out, spec[0] + ".h5"), spec, seed + 1)
    make_adapters(os.path.join(arguments.out, "adapters.h5"))
    make_preference(os.path.join(arguments.out, "preference.h5"))
    make_buckets(os.path.join(arguments.out, "buckets.h5"))
    make_tokenizer(os.path.join(arguments.out, "tokenizer.h5"), arguments.data)


if __name__ == "__main__":
    main()
