"""The losses, as functions of similarity logits.

Contract
  multi_positive(logits, positive)   symmetric CLIP loss [images, texts] where a photo may have several true
                                     texts and a text several photos: the target of a row is spread evenly
                                     over its positives; rows (columns) without positives do not count.
  rows(logits, positive)             the half of it that compares the texts of each photo.
  among(logits, target, allowed)     cross entropy of one true text per photo among the allowed texts only; weight:
                                     how much each photo counts.
"""
import torch
import torch.nn.functional as F


def rows(logits, positive):
    count = positive.sum(1)
    use = count > 0
    if not use.any():
        return logits.sum() * 0
    logp = F.log_softmax(logits[use], 1)
    target = positive[use].to(logp.dtype) / count[use, None]
    return -(target * logp).sum(1).mean()


def multi_positive(logits, positive):
    return (rows(logits, positive) + rows(logits.t(), positive.t())) / 2


def among(logits, target, allowed, smoothing=0.0, weight=None):
    """target: index of the true text, -1 where there is none; allowed: bool [images, texts]."""
    use = target >= 0
    if not use.any():
        return logits.sum() * 0
    logp = F.log_softmax(logits[use].masked_fill(~allowed[use], -1e4), 1)
    loss = -logp.gather(1, target[use, None])[:, 0]
    if smoothing:
        share = allowed[use].to(logp.dtype)
        loss = (1 - smoothing) * loss - smoothing * (logp * share).sum(1) / share.sum(1)
    if weight is not None:
        loss = loss * weight[use]
    return loss.mean()
