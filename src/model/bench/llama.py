# Runs llama.cpp through llama-cpp-python for `narrowroom model bench --against llama.cpp`.
# One JSON object a line in, one a line out. Arguments: model file, context, threads.
import ctypes, json, os, sys, time

out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the library's own words stay out of the way


def say(**values):
    out.write(json.dumps(values) + "\n")


try:
    import numpy as np
    import llama_cpp as api

    started = time.perf_counter()
    context, threads = int(sys.argv[2]), int(sys.argv[3])
    model = api.Llama(
        model_path=sys.argv[1], n_ctx=context, n_batch=512, n_ubatch=512,
        n_threads=threads, n_threads_batch=threads, verbose=False,
    )
    ctx, vocab = model._ctx.ctx, model.n_vocab()
    say(version=api.__version__, load_seconds=time.perf_counter() - started)
except Exception as error:
    say(error=f"{type(error).__name__}: {error}"[:400])
    sys.exit(1)


def clear():
    api.llama_memory_clear(api.llama_get_memory(ctx), True)


def decode(tokens):
    """Computes tokens after those in the cache, the logits of the last one only."""
    for at in range(0, len(tokens), 512):
        part = tokens[at : at + 512]
        array = (api.llama_token * len(part))(*part)
        if api.llama_decode(ctx, api.llama_batch_get_one(array, len(part))) != 0:
            raise RuntimeError("llama_decode failed")
    api.llama_get_logits_ith(ctx, -1)


def prompt(tokens):
    clear()
    started = time.perf_counter()
    decode(tokens)
    return time.perf_counter() - started


def reply(tokens):
    clear()
    decode(tokens[:1])
    started = time.perf_counter()
    for token in tokens[1:]:
        decode([token])
    return time.perf_counter() - started


def written(prompt, reply):
    clear()
    decode(prompt)
    started = time.perf_counter()
    for token in reply:
        decode([token])
    return time.perf_counter() - started


def score(window, first):
    """Sum of the negative log-likelihoods of window[first + 1:], each after all before it, and the likeliest tokens there."""
    clear()
    batch = api.llama_batch_init(len(window), 0, 1)
    try:
        batch.n_tokens = len(window)
        for at, token in enumerate(window):
            batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, at, 1
            batch.seq_id[at][0], batch.logits[at] = 0, int(at >= first)
        if api.llama_decode(ctx, batch) != 0:
            raise RuntimeError("llama_decode failed")
        total, likeliest = 0.0, []
        for at in range(first, len(window) - 1):
            row = np.ctypeslib.as_array(api.llama_get_logits_ith(ctx, at), shape=(vocab,)).astype(np.float64)
            top = row.max()
            total -= row[window[at + 1]] - top - np.log(np.exp(row - top).sum())
            likeliest.append(int(row.argmax()))
        return dict(nats=float(total), tokens=likeliest)
    finally:
        api.llama_batch_free(batch)


for line in sys.stdin:
    asked = json.loads(line)
    try:
        if asked["do"] == "prompt":
            say(seconds=prompt(asked["tokens"]))
        elif asked["do"] == "reply":
            say(seconds=reply(asked["tokens"]))
        elif asked["do"] == "write":
            say(seconds=written(asked["prompt"], asked["reply"]))
        elif asked["do"] == "score":
            say(**score(asked["tokens"], asked["first"]))
        elif asked["do"] == "tokenize":
            say(tokens=model.tokenize(asked["text"].encode(), add_bos=False, special=False))
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}"[:400])
