//! Security keys and SMS devices as the API sees them: listed and taken away, never enabled, resynced or shown to STS
//! (R33, R123, R132, A12..A14, A18).

use countersign::{KeyForm, KeyRegistration, PhoneNumber};
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

use super::*;
use crate::engine::{Caller, Code, DeviceKind, PrincipalId, Request};

impl World {
    fn named(&self, name: &str) -> PrincipalId {
        self.engine.user_named(ACCOUNT.parse().unwrap(), name).unwrap().id
    }

    /// Has a principal register a key in the console.
    async fn key(&self, owner: &PrincipalId) -> String {
        let by = || Request::by(Caller::at_console(owner.clone(), None));
        let name = DeviceName::new("blue").unwrap();
        let asked = self.engine.begin_key_registration(by(), owner, name, KeyForm::SecurityKey, None).await.unwrap();
        let options = serde_json::from_str(&asked.value.options).unwrap();
        let origin = Url::parse("http://localhost").unwrap();
        let answer = SoftPasskey::new(false).do_registration(origin, options).unwrap();
        let answer = serde_json::to_string(&answer).unwrap();
        let done = self.engine.finish_key_registration(by(), owner, asked.value.id, &answer).await.unwrap();
        let KeyRegistration::Registered(serial) = done.value else { panic!("{:?}", done.value) };
        serial.to_string()
    }

    /// Has a user enrol a phone in the console.
    async fn phone(&self, owner: &PrincipalId) -> String {
        let by = || Request::by(Caller::at_console(owner.clone(), None));
        let number = PhoneNumber::parse("+14155551234").unwrap();
        let sent = self.engine.begin_sms_enrolment(by(), owner, number).await.unwrap().value;
        let code = Code::parse(&self.outbox.messages().last().unwrap().code).unwrap();
        assert!(self.engine.finish_sms_enrolment(by(), owner, sent.challenge, code).await.unwrap().value.is_accepted());
        self.engine.devices(owner)[0].serial.to_string()
    }
}

#[test]
fn keys_and_phones_are_listed_and_taken_away_and_nothing_else() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let lee = world.user("lee").await;
        let max = world.user("max").await;
        let key = world.key(&world.named("lee")).await;
        let phone = world.phone(&world.named("max")).await;
        assert!(key.starts_with("arn:aws:iam::123456789012:u2f/user/lee/blue-"), "{key}");
        assert_eq!(phone, "arn:aws:iam::123456789012:sms-mfa/max");
        let unable = MFA_NOT_VALIDATED;
        for (name, user, serial) in [("lee", &lee, &key), ("max", &max, &phone)] {
            let listed = world.call(user, "ListMFADevices").await.ok();
            assert_eq!(listed.all("SerialNumber"), [serial.as_str()]);
            let codes = "AuthenticationCode1=123456&AuthenticationCode2=654321";
            let of = format!("UserName={name}&SerialNumber={serial}");
            let unknown = format!("MFA Device with serial number {serial} does not exist.");
            // A13: neither has an entity that could be enabled, and neither has a time to be learned.
            world.admin(&format!("EnableMFADevice&{of}&{codes}")).await.refused(404, "NoSuchEntity", &unknown);
            let invalid = "MFA Device invalid for user.";
            world.admin(&format!("ResyncMFADevice&{of}&{codes}")).await.refused(404, "NoSuchEntity", invalid);
            world.admin(&format!("DeleteVirtualMFADevice&SerialNumber={serial}")).await.refused(
                404,
                "NoSuchEntity",
                &unknown,
            );
            // A12: the same answer as for a serial number that is nobody's.
            let token = format!("GetSessionToken&SerialNumber={serial}&TokenCode=123456");
            world.call(user, &token).await.refused(403, "AccessDenied", unable);
        }
        assert!(world.admin("ListVirtualMFADevices").await.ok().all("SerialNumber").is_empty(), "A14");
        world.admin("DeleteUser&UserName=max").await.refused(
            409,
            "DeleteConflict",
            "Cannot delete entity, must remove tokens from principal first.",
        );
        for (name, serial) in [("lee", &key), ("max", &phone)] {
            world.admin(&format!("DeactivateMFADevice&UserName={name}&SerialNumber={serial}")).await.ok();
            assert!(world.admin(&format!("ListMFADevices&UserName={name}")).await.ok().all("SerialNumber").is_empty());
        }
        assert!(world.engine.users_with(ACCOUNT.parse().unwrap(), DeviceKind::Sms, None, 10).is_empty());
    });
}

#[test]
fn roots_key_is_out_of_the_apis_reach() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let root = PrincipalId::Root(ACCOUNT.parse().unwrap());
        let key = world.key(&root).await;
        assert!(key.starts_with("arn:aws:iam::123456789012:u2f/root/blue-"), "{key}");
        world.admin(&format!("DeactivateMFADevice&UserName=administrator&SerialNumber={key}")).await.refused(
            404,
            "NoSuchEntity",
            "MFA Device invalid for user.",
        );
        assert_eq!(world.engine.devices(&root).len(), 1, "A18");
    });
}
