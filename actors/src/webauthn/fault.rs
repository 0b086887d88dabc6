//! What the library's errors mean to us.

use countersign_domain::event::KeyFault;
use webauthn_rs::prelude::WebauthnError;

/// Why an answer is refused.
///
/// The library's own words stay here: they are for its developers, and some of its errors quote the
/// input. What has no better name is malformed.
pub(super) const fn fault(error: &WebauthnError) -> KeyFault {
    use WebauthnError as E;
    match error {
        E::MismatchedChallenge | E::ChallengeNotFound => KeyFault::Challenge,
        E::InvalidRPOrigin | E::CredentialCrossOrigin => KeyFault::Origin,
        E::InvalidRPIDHash => KeyFault::RelyingParty,
        E::UserNotPresent => KeyFault::UserNotPresent,
        E::UserNotVerified => KeyFault::UserNotVerified,
        E::AuthenticationFailure | E::SignatureInvalid => KeyFault::Signature,
        E::CredentialNotFound | E::InvalidUserUniqueId => KeyFault::UnknownCredential,
        E::CredentialPossibleCompromise => KeyFault::CounterRegressed,
        E::CredentialAlreadyExists | E::CredentialExcludedFromRequest => KeyFault::AlreadyRegistered,
        E::CredentialAlteredAlgFromRequest
        | E::COSEKeyInvalidAlgorithm
        | E::COSEKeyInvalidType
        | E::COSEKeyEDUnsupported
        | E::COSEKeyECDSAInvalidCurve
        | E::COSEKeyEDDSAInvalidCurve
        | E::COSEKeyRSANEInvalid
        | E::SshPublicKeyEDUnsupported
        | E::ECDSACurveInvalidNid => KeyFault::Algorithm,
        E::AttestationNotSupported
        | E::AttestationStatementMapInvalid
        | E::AttestationStatementResponseMissing
        | E::AttestationStatementResponseInvalid
        | E::AttestationStatementSigMissing
        | E::AttestationStatementSigInvalid
        | E::AttestationStatementVerMissing
        | E::AttestationStatementVerInvalid
        | E::AttestationStatementVerUnsupported
        | E::AttestationStatementX5CMissing
        | E::AttestationStatementX5CInvalid
        | E::AttestationStatementAlgMissing
        | E::AttestationStatementCertInfoMissing
        | E::AttestationStatementMissingExtension
        | E::AttestationStatementPubAreaMissing
        | E::AttestationStatementAlgMismatch
        | E::AttestationStatementAlgInvalid
        | E::AttestationTrustFailure
        | E::AttestationCertificateAAGUIDMismatch
        | E::AttestationCertificateNonceMismatch
        | E::AttestationTpmStInvalid
        | E::AttestationTpmPubAreaMismatch
        | E::AttestationTpmExtraDataInvalid
        | E::AttestationTpmExtraDataMismatch
        | E::AttestationTpmPubAreaHashUnknown
        | E::AttestationTpmPubAreaHashInvalid
        | E::AttestationTpmAttestCertifyInvalid
        | E::AttestationCertificateRequirementsNotMet
        | E::AttestationCertificateTrustStoreEmpty
        | E::AttestationLeafCertMissing
        | E::AttestationNotVerifiable
        | E::AttestationUntrustedAaguid
        | E::AttestationFormatMissingAaguid
        | E::AttestationChainNotTrusted(_)
        | E::AttestationCredentialSubjectKeyMismatch
        | E::CertificatePublicKeyInvalid
        | E::CertificatePublicKeyAlgorthimMismatch
        | E::CredentialInsecureCryptography
        | E::MissingAttestationCaList
        | E::TrustFailure
        | E::X509DerInvalid => KeyFault::Attestation,
        // Parsers, and flags that contradict themselves or the registration. Not all are named, since a
        // release of the library may add some.
        _ => KeyFault::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that no ceremony of ours can bring about.
    #[test]
    fn rare_errors_have_their_faults() {
        for (error, expected) in [
            (WebauthnError::CredentialPossibleCompromise, KeyFault::CounterRegressed),
            (WebauthnError::CredentialAlreadyExists, KeyFault::AlreadyRegistered),
            (WebauthnError::InvalidUserUniqueId, KeyFault::UnknownCredential),
            (WebauthnError::AttestationUntrustedAaguid, KeyFault::Attestation),
            (WebauthnError::COSEKeyInvalidType, KeyFault::Algorithm),
            (WebauthnError::Configuration, KeyFault::Malformed),
        ] {
            assert_eq!(fault(&error), expected, "{error}");
        }
    }
}
