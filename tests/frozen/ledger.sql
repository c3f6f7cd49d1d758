BEGIN TRANSACTION;
CREATE TABLE attempts (          -- everything that was sent
  number INTEGER PRIMARY KEY,
  identity TEXT NOT NULL,
  sent TEXT NOT NULL,            -- UTC, ISO 8601; recorded before the request leaves
  upper REAL,                    -- USD; what it can cost at most
  state TEXT NOT NULL,           -- sent, submitted (in a part), replied, refused (not billed) or lost (perhaps billed)
  said TEXT NOT NULL,            -- what the endpoint said instead of a reply
  part INTEGER,                  -- the part it went out with; NULL when it was asked live
  refusal TEXT                   -- of a part: why there is no reply, as JSON
);
INSERT INTO "attempts" VALUES(1,'e240d6dfd1b111097b2f6567f85935321138141088e400a2f2218cc732406b3e','2026-11-26T07:16:00.475+00:00',0.072883,'replied','',NULL,NULL);
INSERT INTO "attempts" VALUES(2,'a54bc92b2000260d33b1da9dfe561bad62ddc92206317cb8591315c8c3bde157','2026-11-26T07:16:00.485+00:00',0.072988,'replied','',NULL,NULL);
CREATE TABLE models (
  key TEXT PRIMARY KEY,          -- planner/model, as in headings
  card TEXT NOT NULL,
  asked TEXT NOT NULL,           -- hash of how it was asked last: endpoint, parameters, task, k, templates
  position INTEGER               -- in the last call; NULL for models that it does not name
) WITHOUT ROWID;
INSERT INTO "models" VALUES('lm-planner/test-model','{"planner":"lm-planner","name":"test-model","asked":"test-model","endpoint":"http://model.test/v1","parameters":[]}','ddc4e26c610bc46d',0);
CREATE TABLE papers (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,          -- as it was named
  place TEXT NOT NULL,           -- where it really lies
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  abstract TEXT NOT NULL,
  stamp TEXT NOT NULL,           -- changes when the paper does
  position INTEGER               -- in the corpus of the last call; NULL for papers that it does not name
) WITHOUT ROWID;
INSERT INTO "papers" VALUES('codebook','papers/codebook.md','@WORK@/papers/codebook.md','markdown','','','942b0d1e23f28dcc75820ee704912484',0);
INSERT INTO "papers" VALUES('gate','papers/gate.md','@WORK@/papers/gate.md','markdown','','','d1da10064dc9e88587b5111d4f418994',1);
INSERT INTO "papers" VALUES('router','papers/router.md','@WORK@/papers/router.md','markdown','','','32ab230c49a77978889758d66e1a0784',2);
CREATE TABLE parts (             -- what goes to a provider's batch service: a file of requests, and a batch of it
  number INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  sha256 TEXT NOT NULL,          -- of the file
  requests INTEGER NOT NULL,
  file TEXT NOT NULL DEFAULT '', -- the service's names for them, "" until they are known
  batch TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL            -- recorded, submitting (while its batch is created), the service's own word, collected
);
CREATE TABLE plannings (         -- the highest number of a paper and a model is the one in force
  number INTEGER PRIMARY KEY,
  paper TEXT NOT NULL,
  model TEXT NOT NULL,
  asked TEXT NOT NULL,
  stamp TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  prompt TEXT NOT NULL,          -- hash of the first prompt, "" when there was none
  sample INTEGER NOT NULL,
  facts TEXT NOT NULL            -- the sidecar without the replies
);
INSERT INTO "plannings" VALUES(1,'codebook','lm-planner/test-model','ddc4e26c610bc46d','942b0d1e23f28dcc75820ee704912484','planned','','93278d6717206e40bf71733c82c3e47eef535f7402b8d7b92ad0821d37bb3719',0,'{"format_version":"ablation-planner-1","program_version":"0.1.0","planner":"lm-planner","model":"test-model","model_asked":"test-model","model_answered":"test-model-2026","endpoint":"http://model.test/v1","parameters":{},"task":"reviewer","k":2,"outcome":"planned","reason":"","paper":{"id":"codebook","title":"A Shared Codebook","source":"papers/codebook.md","format":"markdown","main_file":"codebook.md","sha256":"910de2021c4a4d4adadb759360fb5e420fd10a103267201c5cd22a4484ad1f22","chars":1590,"left_out":[]},"prompt_sha256":"93278d6717206e40bf71733c82c3e47eef535f7402b8d7b92ad0821d37bb3719","template_sha256":"f29a632df701363e89e18b64ca83147cc3adc57a2cd1bdca7a0828016aa5fb40","started":"2026-11-26T07:16:00.497079Z","seconds":0.000037,"usage":{"prompt_tokens":1000,"completion_tokens":20,"reasoning_tokens":null,"cached_tokens":null},"cost":0.00108,"warnings":["the endpoint counted 1000 tokens where at least 1253 were sent: it may have cut the prompt"],"attempts":[{"identity":"e240d6dfd1b111097b2f6567f85935321138141088e400a2f2218cc732406b3e","prompt_sha256":"93278d6717206e40bf71733c82c3e47eef535f7402b8d7b92ad0821d37bb3719","sample":0,"messages":2,"started":"2026-11-26T07:16:00.475369Z","outcome":"planned","findings":[],"cost":0.00108,"completion":null}]}');
INSERT INTO "plannings" VALUES(2,'gate','lm-planner/test-model','ddc4e26c610bc46d','d1da10064dc9e88587b5111d4f418994','planned','','c6d158d2fe03960ca65fea601c420ce24c66d13e313d3e963e4efec0dbee5b5f',0,'{"format_version":"ablation-planner-1","program_version":"0.1.0","planner":"lm-planner","model":"test-model","model_asked":"test-model","model_answered":"test-model-2026","endpoint":"http://model.test/v1","parameters":{},"task":"reviewer","k":2,"outcome":"planned","reason":"","paper":{"id":"gate","title":"A Harmonic Residual Gate","source":"papers/gate.md","format":"markdown","main_file":"gate.md","sha256":"33885cfebe06425dc3c5d162af3b25c73d11b7d7e47c35bf9da67c9c435207f6","chars":1688,"left_out":[]},"prompt_sha256":"c6d158d2fe03960ca65fea601c420ce24c66d13e313d3e963e4efec0dbee5b5f","template_sha256":"f29a632df701363e89e18b64ca83147cc3adc57a2cd1bdca7a0828016aa5fb40","started":"2026-11-26T07:16:00.500956Z","seconds":0.000029,"usage":{"prompt_tokens":1000,"completion_tokens":20,"reasoning_tokens":null,"cached_tokens":null},"cost":0.00108,"warnings":["the endpoint counted 1000 tokens where at least 1268 were sent: it may have cut the prompt"],"attempts":[{"identity":"a54bc92b2000260d33b1da9dfe561bad62ddc92206317cb8591315c8c3bde157","prompt_sha256":"c6d158d2fe03960ca65fea601c420ce24c66d13e313d3e963e4efec0dbee5b5f","sample":0,"messages":2,"started":"2026-11-26T07:16:00.485897Z","outcome":"planned","findings":[],"cost":0.00108,"completion":null}]}');
CREATE TABLE requests (
  identity TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  paper TEXT NOT NULL,
  prompt TEXT NOT NULL,
  sample INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  first_sent TEXT NOT NULL,      -- UTC, ISO 8601; "" for one that was only exported
  replied TEXT,
  reply TEXT,                    -- the completion as JSON, raw answer included
  prompt_tokens INTEGER,
  completion_tokens INTEGER,
  cost REAL,                     -- USD; NULL where no price is known
  charged REAL                   -- USD; what counts against a limit: the cost, else the upper estimate
);
INSERT INTO "requests" VALUES('e240d6dfd1b111097b2f6567f85935321138141088e400a2f2218cc732406b3e','lm-planner/test-model','codebook','93278d6717206e40bf71733c82c3e47eef535f7402b8d7b92ad0821d37bb3719',0,2,'2026-11-26T07:16:00.475+00:00','2026-11-26T07:16:00.487+00:00','{"text":"<discussion>\nThe shared codebook is never removed.\n</discussion>\n<predictions>\n{\"name\": \"No shared codebook\", \"ablated_part\": \"shared codebook\", \"action\": \"REMOVE\", \"metrics\": [\"accuracy\"]}\n</predictions>","reasoning":"","refusal":"","finish_reason":"stop","usage":{"prompt_tokens":1000,"completion_tokens":20,"reasoning_tokens":null,"cached_tokens":null},"model":"test-model-2026","request_id":"chatcmpl-1","seconds":0.003561124000043492,"raw":{"id":"chatcmpl-1","created":1,"model":"test-model-2026","usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020},"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"<discussion>\nThe shared codebook is never removed.\n</discussion>\n<predictions>\n{\"name\": \"No shared codebook\", \"ablated_part\": \"shared codebook\", \"action\": \"REMOVE\", \"metrics\": [\"accuracy\"]}\n</predictions>"}}]},"notes":["the endpoint counted 1000 tokens where at least 1253 were sent: it may have cut the prompt"],"limits":null}',1000,20,0.00108,0.00108);
INSERT INTO "requests" VALUES('a54bc92b2000260d33b1da9dfe561bad62ddc92206317cb8591315c8c3bde157','lm-planner/test-model','gate','c6d158d2fe03960ca65fea601c420ce24c66d13e313d3e963e4efec0dbee5b5f',0,2,'2026-11-26T07:16:00.485+00:00','2026-11-26T07:16:00.500+00:00','{"text":"<discussion>\nThe harmonic residual gate is never removed.\n</discussion>\n<predictions>\n{\"name\": \"No harmonic residual gate\", \"ablated_part\": \"harmonic residual gate\", \"action\": \"REMOVE\", \"metrics\": [\"accuracy\"]}\n</predictions>","reasoning":"","refusal":"","finish_reason":"stop","usage":{"prompt_tokens":1000,"completion_tokens":20,"reasoning_tokens":null,"cached_tokens":null},"model":"test-model-2026","request_id":"chatcmpl-1","seconds":0.003931166000029407,"raw":{"id":"chatcmpl-1","created":1,"model":"test-model-2026","usage":{"prompt_tokens":1000,"completion_tokens":20,"total_tokens":1020},"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"<discussion>\nThe harmonic residual gate is never removed.\n</discussion>\n<predictions>\n{\"name\": \"No harmonic residual gate\", \"ablated_part\": \"harmonic residual gate\", \"action\": \"REMOVE\", \"metrics\": [\"accuracy\"]}\n</predictions>"}}]},"notes":["the endpoint counted 1000 tokens where at least 1268 were sent: it may have cut the prompt"],"limits":null}',1000,20,0.00108,0.00108);
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "run" VALUES('call','{"folder":"@WORK@","endpoints":{"test-model":"http://model.test/v1"},"settings":{"task":"reviewer","k":2,"reasks":2,"templates":null,"cut_at":"","window":null},"asking":{"base_url":[],"stream":true,"timeout":600.0,"max_wait":600.0,"reasoning_effort":"","temperature":null,"max_tokens":null,"price":"1,4"},"bounded":{"concurrency":32,"rpm":null,"tpm":null,"max_cost":null,"max_papers":2},"retry_failed":false}');
INSERT INTO "run" VALUES('task','reviewer');
CREATE INDEX papers_in_order ON papers (position);
CREATE INDEX plannings_of ON plannings (paper, model, number);
CREATE INDEX plannings_by ON plannings (prompt, sample);
CREATE INDEX requests_of ON requests (paper, model);
CREATE INDEX requests_by ON requests (prompt, sample);
CREATE INDEX attempts_in_flight ON attempts (state) WHERE state <> 'replied';
CREATE INDEX attempts_of_parts ON attempts (identity) WHERE part IS NOT NULL;
COMMIT;
PRAGMA user_version = 1;
PRAGMA application_id = 1094863952;
