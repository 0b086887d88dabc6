//! Sessions and retries.

use super::*;

#[test]
fn sessions_with_and_without_a_second_factor() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let (lee, max) = (world.user("lee").await, world.user("max").await);
        let (serial, seed) = world.device("one").await;
        world.enable("lee", &serial, &seed).await.ok();
        world.clock.advance_s(60);
        let get = async |key: &Key, rest: &str| world.call(key, &format!("GetSessionToken{rest}")).await;
        let with = |serial: &str, code: &str| format!("&SerialNumber={serial}&TokenCode={code}");
        let fresh = code(&seed, world.step());

        get(&lee, &format!("&SerialNumber={serial}")).await.refused(403, "AccessDenied", MFA_INCOMPLETE);
        get(&lee, "&TokenCode=123456").await.refused(403, "AccessDenied", MFA_INCOMPLETE);
        for bad in ["GAHT12345678", "arn:aws:iam::123456789012:user/lee", "arn:aws:iam::123456789012:u2f/user/lee/x"] {
            get(&lee, &with(bad, &fresh)).await.refused(403, "AccessDenied", MFA_NOT_VALIDATED);
        }
        get(&max, &with(&serial, &fresh)).await.refused(403, "AccessDenied", MFA_NOT_VALIDATED);
        let first = get(&lee, &with(&serial, &fresh)).await.ok();
        assert_eq!(first.get("Expiration"), "2026-11-18T23:07:40Z");
        get(&lee, &with(&serial, &fresh)).await.refused(403, "AccessDenied", MFA_CODE_REFUSED);

        // R91: the tenth attempt of a window is not looked at, whatever its code.
        for _ in 0..7 {
            get(&lee, &with(&serial, "000000")).await.refused(403, "AccessDenied", MFA_CODE_REFUSED);
        }
        let good = code(&seed, world.step() + 1);
        get(&lee, &with(&serial, &good)).await.refused(403, "AccessDenied", MFA_NOT_VALIDATED);

        let session = session_of(&first);
        assert!(session.id.starts_with("ASIA"));
        assert_eq!(
            world.call(&session, "GetCallerIdentity").await.ok().get("Arn"),
            "arn:aws:iam::123456789012:user/lee"
        );
        world.call(&session, "ListMFADevices").await.ok();
        get(&session, "").await.refused(403, "AccessDenied", "Cannot call GetSessionToken with session credentials");

        // R138
        let bare = session_of(&get(&lee, "&DurationSeconds=900").await.ok());
        world.call(&bare, "GetCallerIdentity").await.ok();
        world.call(&bare, "ListMFADevices").await.refused(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        );

        // A token with another key, no token, the end of a session, and the end of its user.
        let mixed = Key { token: session.token.clone(), ..bare.clone() };
        assert_eq!(world.call(&mixed, "GetCallerIdentity").await.get("Code"), "InvalidClientTokenId");
        let without = Key { token: None, ..session.clone() };
        assert_eq!(world.call(&without, "GetCallerIdentity").await.get("Code"), "InvalidClientTokenId");
        world.clock.advance_s(900);
        world.call(&bare, "GetCallerIdentity").await.refused(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        );
        let forged = Key { secret: "x".repeat(40), ..bare };
        assert_eq!(world.call(&forged, "GetCallerIdentity").await.get("Code"), "SignatureDoesNotMatch");
        world.admin(&format!("DeactivateMFADevice&UserName=lee&SerialNumber={serial}")).await.ok();
        world.call(&session, "GetCallerIdentity").await.ok();
        world.admin(&format!("DeleteAccessKey&UserName=lee&AccessKeyId={}", lee.id)).await.ok();
        world.admin("DeleteUser&UserName=lee").await.ok();
        assert_eq!(world.call(&session, "GetCallerIdentity").await.get("Code"), "InvalidClientTokenId");
        assert_eq!(world.call(&lee, "GetCallerIdentity").await.get("Code"), "InvalidClientTokenId");
    });
}

#[test]
fn a_retry_is_answered_and_not_done_again() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let lee = world.user("lee").await;
        let create = "CreateVirtualMFADevice&VirtualMFADeviceName=one";
        let first = world.call_as(&world.admin, create, Some("inv-1")).await.ok();
        let again = world.call_as(&world.admin, create, Some("inv-1")).await.ok();
        assert_eq!(first.get("Base32StringSeed"), again.get("Base32StringSeed"));
        world.call_as(&world.admin, create, Some("inv-2")).await.refused(
            409,
            "EntityAlreadyExists",
            "MFA device already exists.",
        );

        let base32 = BASE64.decode(first.get("Base32StringSeed").as_bytes()).unwrap();
        let seed = BASE32_NOPAD.decode(&base32).unwrap();
        let serial = first.get("SerialNumber");
        let enable = format!("EnableMFADevice&UserName=lee&SerialNumber={serial}&{}", world.pair(&seed));
        for _ in 0..2 {
            world.call_as(&world.admin, &enable, Some("inv-3")).await.ok();
        }
        world.clock.advance_s(60);
        let get = format!("GetSessionToken&SerialNumber={serial}&TokenCode={}", code(&seed, world.step()));
        let session = world.call_as(&lee, &get, Some("inv-4")).await.ok();
        let same = world.call_as(&lee, &get, Some("inv-4")).await.ok();
        // R96: a code yields one session.
        assert_eq!(session.body, same.body);
        world.call_as(&lee, &get, Some("inv-5")).await.refused(403, "AccessDenied", MFA_CODE_REFUSED);
        world.clock.advance_s(121);
        world.call_as(&lee, &get, Some("inv-4")).await.refused(403, "AccessDenied", MFA_CODE_REFUSED);

        let create_key = "CreateAccessKey&UserName=lee";
        let key = world.call_as(&world.admin, create_key, Some("inv-6")).await.ok();
        let same = world.call_as(&world.admin, create_key, Some("inv-6")).await.ok();
        assert_eq!(key.get("SecretAccessKey"), same.get("SecretAccessKey"));
        world.call_as(&world.admin, create_key, Some("inv-7")).await.refused(
            409,
            "LimitExceeded",
            "Cannot exceed quota for AccessKeysPerUser: 2",
        );
    });
}
