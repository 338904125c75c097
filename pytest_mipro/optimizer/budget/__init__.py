"""Bound and account for what a study spends: calls, tokens, money and time.

One ledger: what is used, in flight and held back never exceeds a limit. A call is in flight at its
worst case (`CostModel.worst`) until its reply tells what it took; the decision is held back at its
expectation (`Expectation`). The parts of a study, such as trials, are in flight at their own worst
case where that fits beside the others. Otherwise a part runs alone, if what it is expected to take
fits, and may take all that is left: its calls wait for one another, and one that does not fit
beside nothing in flight stops the part. So that timing changes nothing, a part also counts as
stopped if another order of its calls would have stopped it. A request counts once in a run, cached
or not, in the order of the parts. The plugin bills live calls by another such ledger.
"""
