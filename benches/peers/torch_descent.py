"""The descent that the trainings in PyTorch share."""

import copy
import json
import math
import os
import time

import torch
from safetensors.torch import save_file


def descend(net, weights, loss, validate, data, fit, best=math.inf):
    """Train `net` and write the moving average of its weights whenever `validate` of it is the best so far.

    `weights` is (tensors, metadata, config, path): those of the file that is written, where the
    network's begin with 'net.'. `loss` of the network is to be least. `data` says, each time it is asked, what is learned
    from. `fit` holds began and seconds (on the clock), rate, warmup, weight_decay, dropout and ema;
    `best` is the validation to surpass."""
    tensors, metadata, config, path = weights
    parameters = list(net.w.values())
    for p in parameters:
        p.requires_grad_(True)
    average = copy.copy(net)
    average.w = {k: v.detach().clone() for k, v in net.w.items()}
    net.dropout = fit["dropout"]
    device = parameters[0].device.type
    optimizer = torch.optim.AdamW(parameters, fit["rate"], weight_decay=fit["weight_decay"], fused=device == "cuda")
    began, losses, step = fit["began"], [], 0
    training = told = time.time()
    # Where preparing took all of the time, not a step is left.
    seconds = max(float(fit["seconds"]) - (training - began), 1e-9)

    def look():
        nonlocal best
        validation = float(validate(average))
        if validation < best:
            best = validation
            metadata["halodi.config"] = json.dumps(config)
            card = json.loads(metadata["halodi.card"])
            card.update(steps=step, hours=(time.time() - began) / 3600, machine=f"PyTorch, {device}", seed=1, data=data())
            metadata["halodi.card"] = json.dumps(card)
            learned = {f"net.{k}": v.cpu().contiguous() for k, v in average.w.items()}
            save_file({**tensors, **learned}, path + ".part", metadata=metadata)
            os.replace(path + ".part", path)
        return validation

    while (part := (time.time() - training) / seconds) < 1:
        rate = fit["rate"] * min(1, (step + 1) / fit["warmup"]) * 0.5 * (1 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group["lr"] = rate
        value = loss(net)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        decay = min(fit["ema"], (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.w.values()), parameters, 1 - decay)
        losses.append(value.detach())
        if time.time() - told > 15:
            told = time.time()
            learned_from, mean, validation = data(), float(torch.stack(losses).mean()), look()
            print(
                f"{told - began:.0f} s  step {step}  loss {mean:.4f}  validation {validation:.4f}"
                f"  rate {rate:.1e}  {learned_from}",
                flush=True,
            )
            losses = []
    validation = look()
    print(f"{time.time() - began:.0f} s  step {step}  validation {validation:.4f}", flush=True)
