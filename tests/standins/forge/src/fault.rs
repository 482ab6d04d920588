//! What goes wrong on purpose.

/// Which requests a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Listing refs, for a fetch or a push.
    Refs,
    /// The request that carries the commits of a push.
    Push,
    /// The request that asks for the commits of a fetch.
    Fetch,
    /// `GET` of the REST interface.
    Read,
    /// `POST`, `PATCH` of the REST interface.
    Write,
}

/// What happens to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It is answered with this status and not carried out.
    Status(u16),
    /// The line is cut after so many bytes of the request's body; it is not
    /// carried out.
    CutRequest(usize),
    /// It is carried out, and the line is cut instead of an answer.
    CutAnswer,
    /// It is carried out, and after so many bytes of the answer nothing follows;
    /// the line stays open until the server ends.
    HangAnswer(usize),
    /// It is never answered; the line stays open until the server ends.
    Hang,
}

/// Strikes the next requests of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which requests.
    pub part: Part,
    /// What happens to them.
    pub harm: Harm,
    /// How many of them, from the next one on.
    pub times: u32,
}

/// The faults that are still to strike.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// What happens to a request of this part.
    pub(crate) fn strike(&mut self, part: Option<Part>) -> Option<Harm> {
        let fault = self.0.iter_mut().find(|fault| fault.times > 0 && Some(fault.part) == part)?;
        fault.times -= 1;
        Some(fault.harm)
    }
}

/// The part that a request belongs to.
pub(crate) fn part_of(method: &str, path: &str) -> Option<Part> {
    match (method, path) {
        ("GET", path) if path.ends_with("/info/refs") => Some(Part::Refs),
        ("POST", path) if path.ends_with("/git-receive-pack") => Some(Part::Push),
        ("POST", path) if path.ends_with("/git-upload-pack") => Some(Part::Fetch),
        ("GET", path) if path.starts_with("/api/") => Some(Part::Read),
        (_, path) if path.starts_with("/api/") => Some(Part::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_part_as_often_as_asked_and_then_no_more() {
        let mut faults = Faults::default();
        faults.add(Fault { part: Part::Push, harm: Harm::Status(500), times: 1 });
        assert_eq!(faults.strike(part_of("POST", "/a/b.git/git-upload-pack")), None);
        assert_eq!(faults.strike(part_of("POST", "/a/b.git/git-receive-pack")), Some(Harm::Status(500)));
        assert_eq!(faults.strike(part_of("POST", "/a/b.git/git-receive-pack")), None);
    }
}
