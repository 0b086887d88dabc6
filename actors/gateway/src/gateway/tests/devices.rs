//! Devices, from creation to deletion, with every text of a conflict.

use super::*;
use crate::engine::{Caller, Request, Seed, Serial};

#[test]
fn the_life_of_a_virtual_device() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let lee = world.user("lee").await;
        let (serial, seed) = world.device("lee-phone").await;
        assert_eq!((serial.as_str(), seed.len()), ("arn:aws:iam::123456789012:mfa/lee-phone", 40));

        let listed = world.admin("ListVirtualMFADevices").await.ok();
        assert_eq!((listed.all("SerialNumber"), listed.all("EnableDate").len()), (vec![serial.clone()], 0));
        world.enable("lee", &serial, &seed).await.ok();
        let listed = world.call(&lee, "ListMFADevices").await.ok();
        assert_eq!((listed.get("UserName"), listed.get("EnableDate")), ("lee".into(), "2026-11-18T11:06:40Z".into()));
        let listed = world.admin("ListVirtualMFADevices&AssignmentStatus=Assigned").await.ok();
        assert_eq!((listed.get("UserName"), listed.get("Path")), ("lee".into(), "/".into()));

        // Drift: two codes from an hour ago are learned, then two fresh ones.
        world.clock.advance_s(7200);
        let old = format!(
            "AuthenticationCode1={}&AuthenticationCode2={}",
            code(&seed, world.step() - 121),
            code(&seed, world.step() - 120)
        );
        world.admin(&format!("ResyncMFADevice&UserName=lee&SerialNumber={serial}&{old}")).await.ok();
        let fresh = code(&seed, world.step());
        world.call(&lee, &format!("GetSessionToken&SerialNumber={serial}&TokenCode={fresh}")).await.refused(
            403,
            "AccessDenied",
            MFA_CODE_REFUSED,
        );
        world.admin(&format!("ResyncMFADevice&UserName=lee&SerialNumber={serial}&{}", world.pair(&seed))).await.ok();
        world.clock.advance_s(30);
        let fresh = code(&seed, world.step());
        let session = world.call(&lee, &format!("GetSessionToken&SerialNumber={serial}&TokenCode={fresh}")).await.ok();
        let session = session_of(&session);

        world.call(&session, "DeactivateMFADevice&SerialNumber=").await.refused(400, "ValidationError", "2 validation errors detected: Value at 'serialNumber' failed to satisfy constraint: Member must have length greater than or equal to 9; Value at 'serialNumber' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=/:,.@-]+");
        world.call(&session, &format!("DeactivateMFADevice&SerialNumber={serial}")).await.ok();
        world.admin(&format!("DeleteVirtualMFADevice&SerialNumber={serial}")).await.ok();
        assert_eq!(world.admin("ListVirtualMFADevices").await.ok().all("SerialNumber").len(), 0);
    });
}

#[test]
fn every_text_of_a_state_conflict() {
    run(async {
        let world = World::new(Policy::classic()).await;
        for name in ["lee", "max"] {
            world.admin(&format!("CreateUser&UserName={name}")).await.ok();
        }
        let (serial, seed) = world.device("one").await;
        let (second, second_seed) = world.device("two").await;
        let pair = world.pair(&seed);
        let do_it = async |action: &str, user: &str, serial: &str| {
            world.admin(&format!("{action}&UserName={user}&SerialNumber={serial}&{pair}")).await
        };

        // R58
        world.admin("CreateVirtualMFADevice&VirtualMFADeviceName=ONE").await.refused(
            409,
            "EntityAlreadyExists",
            "MFA device already exists.",
        );
        // R64
        do_it("EnableMFADevice", "nobody", &serial).await.refused(
            404,
            "NoSuchEntity",
            "The user with name nobody cannot be found.",
        );
        do_it("EnableMFADevice", "lee", "GAHT12345678").await.refused(
            404,
            "NoSuchEntity",
            "MFA Device with serial number GAHT12345678 does not exist.",
        );
        do_it("EnableMFADevice", "lee", "arn:aws:iam::123456789012:u2f/user/lee/x").await.refused(
            404,
            "NoSuchEntity",
            "MFA Device with serial number arn:aws:iam::123456789012:u2f/user/lee/x does not exist.",
        );
        let wrong = "AuthenticationCode1=000000&AuthenticationCode2=000000";
        world.admin(&format!("EnableMFADevice&UserName=lee&SerialNumber={serial}&{wrong}")).await.refused(
            403,
            "InvalidAuthenticationCode",
            "Authentication code for device is not valid.",
        );
        // R70, R111 before it is assigned
        do_it("DeactivateMFADevice", "lee", &serial).await.refused(404, "NoSuchEntity", "MFA Device invalid for user.");
        do_it("ResyncMFADevice", "lee", &serial).await.refused(404, "NoSuchEntity", "MFA Device invalid for user.");

        do_it("EnableMFADevice", "lee", &serial).await.ok();
        do_it("EnableMFADevice", "lee", &serial).await.refused(
            409,
            "EntityAlreadyExists",
            "MFA Device for user lee already exists.",
        );
        do_it("EnableMFADevice", "max", &serial).await.refused(
            409,
            "EntityAlreadyExists",
            "MFA Device is already in use.",
        );
        world.enable("lee", &second, &second_seed).await.refused(
            409,
            "LimitExceeded",
            "Cannot exceed quota limit for MFADevicesPerUser.",
        );
        do_it("ResyncMFADevice", "lee", &serial).await.refused(
            403,
            "InvalidAuthenticationCode",
            "Authentication code for device is not valid.",
        );
        do_it("ResyncMFADevice", "max", &serial).await.refused(404, "NoSuchEntity", "MFA Device invalid for user.");
        do_it("ResyncMFADevice", "nobody", &serial).await.refused(
            404,
            "NoSuchEntity",
            "The user with name nobody cannot be found.",
        );
        do_it("DeactivateMFADevice", "max", &serial).await.refused(404, "NoSuchEntity", "MFA Device invalid for user.");
        do_it("DeactivateMFADevice", "lee", "GAHT12345678").await.refused(
            404,
            "NoSuchEntity",
            "MFA Device with serial number GAHT12345678 does not exist.",
        );
        // R73
        do_it("DeleteVirtualMFADevice", "", &serial).await.refused(
            409,
            "DeleteConflict",
            "MFA VirtualDevice in use. Must deactivate first.",
        );
        do_it("DeleteVirtualMFADevice", "", "arn:aws:iam::123456789012:mfa/x").await.refused(
            404,
            "NoSuchEntity",
            "MFA Device with serial number arn:aws:iam::123456789012:mfa/x does not exist.",
        );
        // R76
        world.admin("DeleteUser&UserName=lee").await.refused(
            409,
            "DeleteConflict",
            "Cannot delete entity, must remove tokens from principal first.",
        );
        do_it("DeactivateMFADevice", "lee", &serial).await.ok();
        do_it("DeactivateMFADevice", "lee", &serial).await.refused(404, "NoSuchEntity", "MFA Device invalid for user.");
        world.admin("DeleteUser&UserName=lee").await.ok();
        // R159
        world.admin("ListMFADevices&UserName=lee").await.refused(
            404,
            "NoSuchEntity",
            "The user with name lee cannot be found.",
        );
        assert_eq!(world.admin("ListMFADevices&UserName=max").await.ok().all("member").len(), 0);
        // R131, R160
        world.admin("ListVirtualMFADevices&AssignmentStatus=x").await.refused(400, "ValidationError", "1 validation error detected: Value at 'assignmentStatus' failed to satisfy constraint: Member must satisfy enum value set: [Assigned, Unassigned, Any]");
    });
}

#[test]
fn the_life_of_a_hardware_token() {
    run(async {
        let world = World::new(Policy::classic()).await;
        let lee = world.user("lee").await;
        let serial = Serial::new("GAHT12345678").unwrap();
        let seed = b"12345678901234567890";
        let operator = Request::by(Caller::operator());
        let imported = Seed::new(seed.to_vec()).unwrap();
        world.engine.import_hardware_token(operator, &serial, imported, "Feitian").await.unwrap();

        world.enable("lee", serial.as_str(), seed).await.ok();
        assert_eq!(world.call(&lee, "ListMFADevices").await.ok().get("SerialNumber"), serial.as_str());
        // R29
        assert_eq!(world.admin("ListVirtualMFADevices").await.ok().all("member").len(), 0);
        // R75
        world.admin("DeleteVirtualMFADevice&SerialNumber=GAHT12345678").await.refused(
            404,
            "NoSuchEntity",
            "MFA Device with serial number GAHT12345678 does not exist.",
        );
        world.clock.advance_s(60);
        let fresh = code(seed, world.step());
        world.call(&lee, &format!("GetSessionToken&SerialNumber={serial}&TokenCode={fresh}")).await.ok();
        world.admin("DeactivateMFADevice&UserName=lee&SerialNumber=GAHT12345678").await.ok();

        // R28: somebody else may have it next, with codes that are newer than any pair before.
        world.user("max").await;
        world.clock.advance_s(60);
        world.enable("max", serial.as_str(), seed).await.ok();
    });
}
