//! What is kept of a command's output: the beginning of it for a command that is awaited, the end of it for one
//! in the background. Both are bounded, whatever the command prints.

/// Keeps the first `max` bytes and counts the others.
#[derive(Debug)]
pub(crate) struct Head {
    /// What was kept.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes were not.
    pub(crate) dropped: u64,
    max: usize,
}

impl Head {
    pub(crate) fn new(max: usize) -> Head {
        Head {
            bytes: Vec::new(),
            dropped: 0,
            max,
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let room = self.max - self.bytes.len();
        let kept = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }
}

/// Keeps at least the newest `max` bytes (and at most twice as many, so that forgetting is cheap); positions stay
/// those of the whole output.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    /// The position of the first byte that is kept.
    start: usize,
    max: usize,
}

impl Tail {
    pub(crate) fn new(max: usize) -> Tail {
        Tail {
            bytes: Vec::new(),
            start: 0,
            max,
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * self.max {
            let forgotten = self.bytes.len() - self.max;
            self.bytes.drain(..forgotten);
            self.start += forgotten;
        }
    }

    /// What is kept from position `from` of the whole output on.
    pub(crate) fn since(&self, from: usize) -> Vec<u8> {
        let skip = from.saturating_sub(self.start).min(self.bytes.len());
        self.bytes[skip..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_kept_and_the_rest_counted() {
        let mut head = Head::new(4);
        head.take(b"abc");
        head.take(b"def");
        assert_eq!(
            (head.bytes.as_slice(), head.dropped),
            (b"abcd".as_slice(), 2)
        );
    }

    #[test]
    fn the_tail_keeps_the_newest_and_its_positions() {
        let mut tail = Tail::new(4);
        tail.take(b"01234567");
        assert_eq!(tail.since(0), b"01234567");
        tail.take(b"89");
        assert_eq!(tail.since(0), b"6789");
        assert_eq!(tail.since(8), b"89");
        assert_eq!(tail.since(99), b"");
    }
}
