//! Transcripts: events in, state and effects out.

