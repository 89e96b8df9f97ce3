//! Bytes that a terminal types → keys.

/// What can be typed; anything else is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    /// Ctrl-C, which is a key while the terminal is raw.
    Interrupt,
    Letter(char),
}

const ESCAPE: u8 = 0x1b;

/// The keys of what was read at once: a terminal sends the bytes of one key together, so that an escape with
/// nothing behind it is that key.
pub(super) fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (&ESCAPE, [b'[' | b'O', sequence @ ..]) => {
                let end = sequence.iter().position(|byte| (0x40..=0x7e).contains(byte));
                let (sequence, after) = sequence.split_at(end.map_or(sequence.len(), |end| end + 1));
                keys.extend(of_sequence(sequence));
                rest = after;
            }
            (&ESCAPE, _) => keys.push(Key::Escape),
            (b'\r' | b'\n', _) => keys.push(Key::Enter),
            (3, _) => keys.push(Key::Interrupt),
            (byte, _) if byte.is_ascii_graphic() || *byte == b' ' => {
                keys.push(Key::Letter(char::from(*byte)))
            }
            (_, _) => {}
        }
    }
    keys
}

fn of_sequence(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        b"A" => Key::Up,
        b"B" => Key::Down,
        b"H" | b"1~" | b"7~" => Key::Home,
        b"F" | b"4~" | b"8~" => Key::End,
        b"5~" => Key::PageUp,
        b"6~" => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_what_terminals_send() {
        let check = |bytes: &str, expected: &[Key]| assert_eq!(keys(bytes.as_bytes()), expected, "{bytes:?}");
        check("q", &[Key::Letter('q')]);
        check("\x1b[A\x1b[B\x1bOA", &[Key::Up, Key::Down, Key::Up]);
        check("\x1b[5~\x1b[6~\x1b[1~\x1b[F", &[Key::PageUp, Key::PageDown, Key::Home, Key::End]);
        check("\r\x1b", &[Key::Enter, Key::Escape]);
        check("\x03", &[Key::Interrupt]);
        // With modifiers, a mouse, half a sequence, a letter of many bytes: nothing of it is a letter.
        check("\x1b[1;5Aj", &[Key::Letter('j')]);
        check("\x1b[12", &[]);
        check("ä", &[]);
    }
}
