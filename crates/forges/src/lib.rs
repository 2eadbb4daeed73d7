//! forges
