//! The journal: the ordered events of one run, and its blobs. The only truth.
