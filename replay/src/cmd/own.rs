//! The questions to our own store only, each of which is answered in the library.

use clap::Subcommand;
use countersign_replay::own::{cmd, cmd_ask, cmd_explain, cmd_forecast, cmd_rebuild, cmd_step, cmd_what_if};

use super::Answered;

/// Questions to a store of our own.
#[derive(Subcommand)]
pub(crate) enum Own {
    Timeline(cmd_ask::TimelineArgs),
    Signins(cmd_ask::SignInsArgs),
    Rotations(cmd_ask::RotationsArgs),
    Findings(cmd_ask::FindingsArgs),
    Diff(cmd_ask::DiffArgs),
    Explain(cmd_explain::ExplainArgs),
    WhatIf(cmd_what_if::WhatIfArgs),
    Forecast(cmd_forecast::ForecastArgs),
    Step(cmd_step::StepArgs),
    Rebuild(cmd_rebuild::RebuildArgs),
}

pub(crate) fn run(own: &Own) -> Answered {
    Ok(cmd::finish(match own {
        Own::Timeline(args) => cmd_ask::timeline(args),
        Own::Signins(args) => cmd_ask::signins(args),
        Own::Rotations(args) => cmd_ask::rotations(args),
        Own::Findings(args) => cmd_ask::findings(args),
        Own::Diff(args) => cmd_ask::diff(args),
        Own::Explain(args) => cmd_explain::explain(args),
        Own::WhatIf(args) => cmd_what_if::what_if(args),
        Own::Forecast(args) => cmd_forecast::forecast(args),
        Own::Step(args) => cmd_step::step(args),
        Own::Rebuild(args) => cmd_rebuild::rebuild(args),
    }))
}
