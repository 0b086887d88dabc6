//! Pages, leave, and the order of the checks.

use super::*;

#[test]
fn pages_and_their_markers() {
    run(async {
        let world = World::new(Policy::classic()).await;
        for number in 0..5 {
            world.device(&format!("d{number}")).await;
            world.admin(&format!("CreateUser&UserName=u{number}&Path=%2Fteam%2F")).await.ok();
        }
        let mut seen = Vec::new();
        let mut marker = String::new();
        for (size, more) in [(2, "true"), (1, "true"), (2, "false")] {
            let page = world.admin(&format!("ListVirtualMFADevices&MaxItems={size}{marker}")).await.ok();
            assert_eq!(page.get("IsTruncated"), more);
            seen.extend(page.all("SerialNumber"));
            if more == "true" {
                let found = page.get("Marker");
                marker = format!("&Marker={}", found.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"));
            }
        }
        assert_eq!(seen.len(), 5);
        for other in ["ListVirtualMFADevices&AssignmentStatus=Unassigned", "ListUsers", "ListMFADevices"] {
            world.admin(&format!("{other}{marker}")).await.refused(400, "ValidationError", "Invalid Marker.");
        }
        let page = world.admin("ListUsers&PathPrefix=%2Fteam%2F&MaxItems=3").await.ok();
        assert_eq!((page.all("UserName").len(), page.get("IsTruncated")), (3, "true".into()));
        let page = world.admin("ListUsers&PathPrefix=%2Fteam%2F&MaxItems=5").await.ok();
        assert_eq!((page.all("UserName").len(), page.get("IsTruncated")), (5, "false".into()));
        let page = world.admin("ListUsers&PathPrefix=%2Fother%2F").await.ok();
        assert_eq!(page.all("UserName").len(), 0);
    });
}

#[test]
fn who_may_not_learns_nothing() {
    run(async {
        let world = World::new(Policy::modern()).await;
        let lee = world.user("lee").await;
        let (serial, seed) = world.device("one").await;
        let denied = |action: &str, name: &str| {
            format!(
                "User: arn:aws:iam::123456789012:user/lee is not authorized to perform: iam:{action} on resource: arn:aws:iam::123456789012:user/{name} because no identity-based policy allows the iam:{action} action"
            )
        };
        world.admin("CreateUser&UserName=Kim&Path=/secret/").await;
        for name in ["administrator", "nobody", "kim", "KIM"] {
            world.call(&lee, &format!("ListMFADevices&UserName={name}")).await.refused(
                403,
                "AccessDenied",
                &denied("ListMFADevices", name),
            );
        }
        world.call(&lee, "CreateUser&UserName=eve").await.refused(403, "AccessDenied", &denied("CreateUser", "eve"));

        // The self-management rule of the modern policy (R180, R181).
        let enable = |serial: &str, seed: &[u8]| {
            format!("EnableMFADevice&UserName=lee&SerialNumber={serial}&{}", world.pair(seed))
        };
        world.call(&lee, &enable(&serial, &seed)).await.ok();
        let (second, second_seed) = world.device("two").await;
        world.call(&lee, &enable(&second, &second_seed)).await.refused(
            403,
            "AccessDenied",
            crate::errors::SELF_MANAGEMENT,
        );
        // R181: the rule comes before the question whether there is such a device.
        let key = "arn:aws:iam::123456789012:u2f/user/lee/key-ABC";
        world.call(&lee, &enable(key, &second_seed)).await.refused(403, "AccessDenied", crate::errors::SELF_MANAGEMENT);
        world.clock.advance_s(60);
        let fresh = code(&seed, world.step());
        let session = world.call(&lee, &format!("GetSessionToken&SerialNumber={serial}&TokenCode={fresh}")).await.ok();
        world.call(&session_of(&session), &enable(&second, &second_seed)).await.ok();
        assert_eq!(world.call(&lee, "ListMFADevices").await.ok().all("SerialNumber"), [serial, second]);
    });
}

#[test]
fn constraints_come_before_the_signature_and_the_signature_before_leave() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let stranger = Key { id: "AKIANOTHING".into(), secret: "x".repeat(40), token: None };
        assert_eq!(world.call(&stranger, "EnableMFADevice").await.get("Code"), "ValidationError");
        assert_eq!(world.call(&stranger, "ListMFADevices").await.get("Code"), "InvalidClientTokenId");
        let wrong = Key { secret: "x".repeat(40), ..world.admin.clone() };
        assert_eq!(world.call(&wrong, "ListMFADevices").await.get("Code"), "SignatureDoesNotMatch");
        assert_eq!(world.call(&stranger, "NoSuchThing").await.get("Code"), "InvalidAction");
        world
            .admin("CreateVirtualMFADevice&VirtualMFADeviceName=x&Tags.member.1.Key=k&Tags.member.1.Value=v")
            .await
            .refused(400, "InvalidInput", "Tags on MFA devices are not supported by this server");
    });
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[test]
fn junk_is_answered_and_never_a_panic() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let mut numbers = Numbers(7);
        let parts = [
            "Action=",
            "EnableMFADevice",
            "ListUsers",
            "GetSessionToken",
            "&Version=2010-05-08",
            "&Version=2011-06-15",
            "&UserName=",
            "&SerialNumber=",
            "arn:aws:iam::123456789012:mfa/x",
            "&TokenCode=",
            "&MaxItems=",
            "&Marker=v1.",
            "&Tags.member.",
            "1",
            ".Key=",
            "%",
            "%00",
            "%ff",
            "+",
            "&",
            "=",
            "é",
            "'",
            "<",
            "]]>",
            "123456",
            "\u{0}",
        ];
        for _ in 0..3000 {
            let form: String = (0..numbers.below(12)).map(|_| parts[numbers.below(parts.len())]).collect();
            let service = if numbers.below(2) == 0 { Service::Iam } else { Service::Sts };
            let mut signer = Signer::new(service);
            (signer.key, signer.secret) = (world.admin.id.clone(), world.admin.secret.clone());
            let received = signer.sign(&form, world.engine.now());
            let reply = world.gateway.answer(&received, "id").await;
            assert!(reply.status < 500, "{form}: {}", reply.body);
            assert!(roxmltree::Document::parse(&reply.body).is_ok(), "{form}: {}", reply.body);
        }
    });
}
