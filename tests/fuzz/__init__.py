"""Random damage to all that the program reads from outside: replies, streams, headers, papers and its own files.

`python -m tests.fuzz --seconds N [--seed S] [--only KIND]` changes sound inputs at random and feeds them to the
program. Every input must end in a named outcome, in bounded CPU time and memory; the key of the client must appear in
no file, error or log; and a reply that came whole must be on record afterwards. A failure is printed with its kind,
its seed and its number, with which the same command makes the same input again (`--input NUMBER`), and its bytes are
left in a file. The kinds of inputs are one table, in `kinds`.
"""
