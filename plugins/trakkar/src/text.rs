//! Lengths and lines of what is said to Trakkar.

pub use hostler_sdk::text::one_line;

/// What stands where text was cut.
const CUT: char = '…';

/// The beginning of a text, at most so many characters, with a mark where it was cut.
pub fn head(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push(CUT);
    cut
}

/// The end of a text, likewise.
pub fn tail(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(1);
    std::iter::once(CUT).chain(text.chars().skip(count - kept)).collect()
}

/// Lower-case letters, digits and single dashes, at most so many; may be empty.
pub fn slug(text: &str, limit: usize) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if slug.len() >= limit {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_more_is_cut_with_a_mark() {
        assert_eq!((&*head("äbcde", 5), &*head("äbcdef", 5)), ("äbcde", "äbcd…"));
        assert_eq!((&*tail("abcdé", 5), &*tail("xabcdé", 5)), ("abcdé", "…bcdé"));
    }

    #[test]
    fn a_slug_is_fit_for_a_branch_and_ends_at_its_limit() {
        assert_eq!(slug("Add CSV export!", 40), "add-csv-export");
        assert_eq!(slug("Ünïcode & more", 40), "n-code-more");
        assert_eq!(slug(&"x".repeat(40), 40).len(), 40);
        assert_eq!(slug(&"x".repeat(41), 40).len(), 40);
        assert_eq!(slug(&format!("{} y", "x".repeat(39)), 40), "x".repeat(39));
        assert_eq!(slug("漢字", 40), "");
    }
}
