"""Whether a run did what was asked: what a version declares of its types of tasks, held against what happened.

``declared`` reads the declaration, ``words`` says it, ``evaluating`` holds it against a plain value: all pure.
``reading`` makes that value of a run's record, ``judging`` does so once for each run of a task, after its end.
"""
