//! What an answer to `submit_sm` means (SMPP 3.4, section 5.1.3).

use countersign::{SmsAccepted, SmsFailure};
use rusmpp::pdus::SubmitSmResp;
use rusmpp::{Command, CommandId, CommandStatus};
use rusmppc::error::Error;

use crate::ids::IdForm;

/// What is known of a message whose `submit_sm` was on its way.
pub(crate) fn of_answer(
    answer: Result<SubmitSmResp, Error>,
    ids: IdForm,
    statuses: &[(u32, SmsFailure)],
) -> Result<SmsAccepted, SmsFailure> {
    match answer {
        Ok(response) => Ok(SmsAccepted { message_id: ids.of_response(response.message_id().as_str()) }),
        Err(Error::UnexpectedResponse { response }) => of_response(&response, statuses),
        // Nothing was written, and the same message cannot be written later either.
        Err(Error::Encode(_)) => Err(SmsFailure::Refused),
        // The link broke. Some of these messages were not even written; which ones is not told.
        Err(_) => Err(SmsFailure::Unknown),
    }
}

/// Any other answer than `submit_sm_resp` with an id and without an error.
fn of_response(response: &Command, statuses: &[(u32, SmsFailure)]) -> Result<SmsAccepted, SmsFailure> {
    match (response.id(), response.status()) {
        (CommandId::SubmitSmResp, CommandStatus::EsmeRok) => Ok(SmsAccepted { message_id: None }),
        (_, CommandStatus::EsmeRok) => Err(SmsFailure::Unknown),
        (_, status) => Err(of_status(status, statuses)),
    }
}

/// The reading of a status: the operator's own first, then the table in the documentation of
/// [`SmppTransport`](crate::SmppTransport).
fn of_status(status: CommandStatus, statuses: &[(u32, SmsFailure)]) -> SmsFailure {
    use CommandStatus as S;
    let number = u32::from(status);
    if let Some((_, failure)) = statuses.iter().find(|(own, _)| *own == number) {
        return *failure;
    }
    match status {
        S::EsmeRthrottled | S::EsmeRmsgqful => SmsFailure::Throttled { retry_after: None },
        S::EsmeRinvdstadr | S::EsmeRinvdstton | S::EsmeRinvdstnpi | S::EsmeRinvdstaddrsubunit => {
            SmsFailure::InvalidNumber
        }
        S::EsmeRinvmsglen | S::EsmeRxPAppn | S::EsmeRxRAppn | S::EsmeRdeliveryfailure => SmsFailure::Refused,
        _ => SmsFailure::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(id: CommandId, status: u32) -> Result<SmsAccepted, SmsFailure> {
        let parts = rusmpp::command::CommandParts::new(id, CommandStatus::from(status), 1, None);
        let response = Box::new(Command::from_parts(parts));
        of_answer(Err(Error::UnexpectedResponse { response }), IdForm::AsIs, &[(0x0400, SmsFailure::OptedOut)])
    }

    #[test]
    fn statuses_are_sorted() {
        let throttled = SmsFailure::Throttled { retry_after: None };
        for (failure, statuses) in [
            (throttled, &[0x14, 0x58][..]),
            (SmsFailure::InvalidNumber, &[0x0b, 0x50, 0x51, 0x106]),
            (SmsFailure::Refused, &[0x01, 0x65, 0x66, 0xfe]),
            (SmsFailure::OptedOut, &[0x400]),
            // Busy, not bound, not allowed, or a field that another gateway may like.
            (SmsFailure::Unavailable, &[0x02, 0x04, 0x08, 0x0a, 0x0d, 0x0e, 0x0f, 0x15, 0x43, 0x45, 0x61, 0x62, 0x64]),
            (SmsFailure::Unavailable, &[0xc4, 0xff, 0x100, 0x101, 0x104, 0x401, u32::MAX]),
        ] {
            for status in statuses {
                assert_eq!(answered(CommandId::SubmitSmResp, *status), Err(failure), "{status:#x}");
                assert_eq!(answered(CommandId::GenericNack, *status), Err(failure), "{status:#x}");
            }
        }
    }

    #[test]
    fn an_answer_without_an_id_is_an_acceptance() {
        assert_eq!(answered(CommandId::SubmitSmResp, 0), Ok(SmsAccepted { message_id: None }));
        let empty = of_answer(Ok(SubmitSmResp::default()), IdForm::AsIs, &[]);
        assert_eq!(empty, Ok(SmsAccepted { message_id: None }));
    }

    #[test]
    fn whatever_else_is_not_known() {
        assert_eq!(answered(CommandId::GenericNack, 0), Err(SmsFailure::Unknown));
        assert_eq!(answered(CommandId::DataSmResp, 0), Err(SmsFailure::Unknown));
        assert_eq!(of_answer(Err(Error::ConnectionClosed), IdForm::AsIs, &[]), Err(SmsFailure::Unknown));
    }
}
