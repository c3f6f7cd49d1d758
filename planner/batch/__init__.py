"""Plan every paper of a corpus once; no reply is lost, and no request is paid for twice."""
