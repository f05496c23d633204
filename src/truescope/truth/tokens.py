"""A tokenizer whose tokens are words between spaces."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

BOS = "<bos>"


def word_tokenizer(vocabulary: Sequence[str], context: int) -> PreTrainedTokenizerFast:
    """Token i is the word ``vocabulary[i]``; ``<bos>``, one of them, is put first by itself.

    A word that is not among them becomes an id past the vocabulary, which a model refuses.
    """
    words = {word: i for i, word in enumerate(vocabulary)}
    unknown = "<unk>"
    tokenizer = Tokenizer(WordLevel(words | {unknown: len(words)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, words[BOS])]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, model_max_length=context)
