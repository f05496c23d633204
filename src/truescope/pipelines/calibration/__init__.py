"""The parts of `calibrate`: what is known, what is scored, and how it is reported.

Read in this order: `known` (models, prompts, the truth as arrays), `scoring` (every method's scores and their rank),
`qualities` and `autoencoders` (dictionaries of known quality), `collapse` (chains of hops), `trained` (the sorter and
induction heads), `cells` (all the work there is), `summaries` (numbers with intervals), `expectations` (claims and
verdicts), `report` and `figure`.
"""
