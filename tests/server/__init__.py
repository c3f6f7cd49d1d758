"""The suite's own endpoint: real HTTP on a free port of this machine, standard library only.

In a test, take the fixture `server`, say what it answers, and look at what was asked::

    def test_one(server: Server) -> None:
        server.script(error(429, "slow down", headers={"Retry-After": "1"}), reply("hello"))
        ...                                      # a client that is given server.base_url
        assert len(server.journal) == 2          # one Request each: number, at, path, headers, body, json

`script` queues one response a request; `server.answer = function` answers whatever the script does not, from the
request; with neither, a request gets a 400 that says so. The builders are in `replies`:

| builder | what it is |
|---|---|
| `reply(text, reasoning=…, finish_reason=…, usage=…)` | a finished chat completion as one JSON body |
| `stream(text, reasoning=…, finish_reason=…, usage=…, done=…)` | the same as server-sent events, in a few chunks |
| `error(status, message, code=…, type=…, param=…, headers=…)` | an error as OpenAI writes it |
| `as_asked(request, text, …)` | `reply` or `stream`, as the request asked |
| `Response(status, parts, …)` | anything else |

and a `Response` is bent by `.cut(after)` (the connection breaks after so many bytes of the body), `.hanging(after)`
(nothing more comes until `server.release()`), `.dripping(size, pause)`, `.late(seconds)` and
`.saying({"Header": "value"})`.
`python -m tests.server` runs the same server as a process of its own, to try the program with and for measurements.
"""
