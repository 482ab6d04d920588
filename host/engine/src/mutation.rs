//! Deliberate faults, to show that the simulation finds such. Without the feature
//! `mutations` every question here is answered with a constant `false`, and nothing
//! of this is in the program.

/// One deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// An answer to an older step is taken for a timely one.
    StaleStep,
    /// A word under any fence counts.
    AnyFence,
    /// A restart forgets the attempts that are over.
    ForgottenAttempts,
    /// A silent agent counts as ended before it is.
    UnprovenEnd,
    /// A report that was not delivered counts as delivered.
    UnrepeatedReport,
    /// A report is made anew for every try.
    RemadeReport,
    /// An agent may use its lease to the last moment.
    NoLeaseMargin,
    /// A renewal counts from its answer, not from when it was asked for.
    LeaseFromReply,
    /// A newcomer begins while its predecessor is still being ended.
    UnblockedEarly,
    /// A restart forgets that a run was to end.
    ForgottenStop,
    /// A restart forgets how long the pauses were.
    ForgottenPause,
    /// After a restart the agent is started anew instead of being looked for.
    NotAdopted,
    /// Only agents that work take a slot, not those on the way there.
    MiscountedSlots,
    /// A lost run closes at once, its agent still working.
    ClosedAlive,
    /// What was heard of an agent replaces what was known, also by less.
    UsageReplaced,
    /// A task given out under an old fence is taken.
    OldClaim,
    /// Attempts that failed do not count against the limit.
    EndlessAttempts,
    /// After a restart an agent is started before the tracker has confirmed the lease.
    UnconfirmedStart,
    /// A clean attempt works in the workspace of the one before.
    WorkspaceReused,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::StaleStep,
        Self::AnyFence,
        Self::ForgottenAttempts,
        Self::UnprovenEnd,
        Self::UnrepeatedReport,
        Self::RemadeReport,
        Self::NoLeaseMargin,
        Self::LeaseFromReply,
        Self::UnblockedEarly,
        Self::ForgottenStop,
        Self::ForgottenPause,
        Self::NotAdopted,
        Self::MiscountedSlots,
        Self::ClosedAlive,
        Self::UsageReplaced,
        Self::OldClaim,
        Self::EndlessAttempts,
        Self::UnconfirmedStart,
        Self::WorkspaceReused,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StaleStep => "stale-step",
            Self::AnyFence => "any-fence",
            Self::ForgottenAttempts => "forgotten-attempts",
            Self::UnprovenEnd => "unproven-end",
            Self::UnrepeatedReport => "unrepeated-report",
            Self::RemadeReport => "remade-report",
            Self::NoLeaseMargin => "no-lease-margin",
            Self::LeaseFromReply => "lease-from-reply",
            Self::UnblockedEarly => "unblocked-early",
            Self::ForgottenStop => "forgotten-stop",
            Self::ForgottenPause => "forgotten-pause",
            Self::NotAdopted => "not-adopted",
            Self::MiscountedSlots => "miscounted-slots",
            Self::ClosedAlive => "closed-alive",
            Self::UsageReplaced => "usage-replaced",
            Self::OldClaim => "old-claim",
            Self::EndlessAttempts => "endless-attempts",
            Self::UnconfirmedStart => "unconfirmed-start",
            Self::WorkspaceReused => "workspace-reused",
        }
    }

    /// Whether the engine has this fault now.
    #[cfg(not(feature = "mutations"))]
    pub(crate) const fn is_on(self) -> bool {
        let _ = self;
        false
    }

    /// Whether the engine has this fault now, on this thread.
    #[cfg(feature = "mutations")]
    pub(crate) fn is_on(self) -> bool {
        CHOSEN.get() == Some(self)
    }
}

#[cfg(feature = "mutations")]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// From now on the engine has this fault, on this thread.
#[cfg(feature = "mutations")]
pub fn choose(mutation: Option<Mutation>) {
    CHOSEN.set(mutation);
}
