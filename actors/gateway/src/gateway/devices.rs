//! Operations on devices (R57..R75, R111, R159..R162).

use super::refusal::{About, of_directory, of_engine};
use super::{Call, Gateway, user_item};
use crate::directory::Resource;
use crate::engine::{
    Assignment, Code, DeactivateReason, DeviceName, DeviceView, PAGE_MAX, Path, Proof, Serial, UserView,
};
use crate::errors::ApiError;
use crate::wire::answer::{DeviceItem, Output, VirtualDeviceItem};
use crate::wire::input::{
    self, CreateVirtualDevice, DeactivateDevice, DeleteVirtualDevice, DevicePair, ListDevices, ListVirtualDevices,
};

impl Gateway {
    pub(super) async fn create_virtual_device(
        &self,
        call: &Call,
        input: CreateVirtualDevice,
    ) -> Result<Output, ApiError> {
        let account = call.identity.account();
        let arn = format!("arn:aws:iam::{account}:mfa{}{}", input.path, input.name);
        self.authorize(call, &Resource::Device(arn)).await?;
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            // Better than to drop them in silence; the whole call fails (R58).
            return Err(ApiError::InvalidInput("Tags on MFA devices are not supported by this server".into()));
        }
        let (path, name) = (path_of(&input.path)?, name_of(&input.name)?);
        let made = self.engine.create_virtual_device(call.request.clone(), account, path, name).await;
        let about = About { user: "", serial: None, enabling: false };
        let device = made.map_err(|error| of_engine(&error, about))?.value;
        let qr_png = device.qr_png().map_err(|error| of_engine(&error, about))?;
        Ok(Output::VirtualDevice {
            serial: device.serial.to_string(),
            base32_seed: device.base32(),
            qr_png,
            tags: input.tags,
        })
    }

    pub(super) async fn delete_virtual_device(
        &self,
        call: &Call,
        input: DeleteVirtualDevice,
    ) -> Result<Output, ApiError> {
        self.authorize(call, &Resource::Device(input.serial.clone())).await?;
        let serial = serial_of(&input.serial)?;
        let account = call.identity.account();
        let deleted = self.engine.delete_virtual_device(call.request.clone(), account, &serial).await;
        let about = About { user: "", serial: Some(&serial), enabling: false };
        deleted.map(|_| Output::Empty).map_err(|error| of_engine(&error, about))
    }

    pub(super) async fn enable_device(&self, call: &Call, input: DevicePair) -> Result<Output, ApiError> {
        let user = self.subject(call, Some(&input.user_name)).await?;
        let (serial, first, second) = pair_of(&input)?;
        let enabled = self.engine.enable(call.request.clone(), &user.id, &serial, first, second).await;
        let about = About { user: user.name.as_str(), serial: Some(&serial), enabling: true };
        proven(enabled.map_err(|error| of_engine(&error, about))?.value)
    }

    pub(super) async fn resync_device(&self, call: &Call, input: DevicePair) -> Result<Output, ApiError> {
        let user = self.subject(call, Some(&input.user_name)).await?;
        let (serial, first, second) = pair_of(&input)?;
        let resynced = self.engine.resync(call.request.clone(), &user.id, &serial, first, second).await;
        let about = About { user: user.name.as_str(), serial: Some(&serial), enabling: false };
        proven(resynced.map_err(|error| of_engine(&error, about))?.value)
    }

    pub(super) async fn deactivate_device(&self, call: &Call, input: DeactivateDevice) -> Result<Output, ApiError> {
        let user = self.subject(call, input.user_name.as_deref()).await?;
        let serial = serial_of(&input.serial)?;
        let reason = DeactivateReason::Requested;
        let gone = self.engine.deactivate(call.request.clone(), &user.id, &serial, reason).await;
        let about = About { user: user.name.as_str(), serial: Some(&serial), enabling: false };
        gone.map(|_| Output::Empty).map_err(|error| of_engine(&error, about))
    }

    pub(super) async fn list_devices(&self, call: &Call, input: ListDevices) -> Result<Output, ApiError> {
        let user = self.subject(call, input.user_name.as_deref()).await?;
        let filter = user.id.to_string();
        let start = self.start(call, &filter, input.page.marker.as_deref())?;
        let devices = self.engine.devices(&user.id);
        let from = match start {
            Some(serial) => {
                let at = devices.iter().position(|device| device.serial.as_str() == serial);
                // The device that the marker stood on was taken away since.
                at.ok_or_else(|| ApiError::Validation("Invalid Marker.".into()))? + 1
            }
            None => 0,
        };
        let left = devices.get(from..).unwrap_or_default();
        let page = &left[..left.len().min(input.page.max_items as usize)];
        let last = (page.len() < left.len()).then(|| page.last()).flatten();
        let marker = self.marker(call, &filter, last.map(|device| device.serial.as_str()));
        let item = |device: &DeviceView| DeviceItem {
            user_name: user.name.to_string(),
            serial: device.serial.to_string(),
            enabled_ms: device.enabled_at.unwrap_or(device.created_at).0,
        };
        Ok(Output::Devices(page.iter().map(item).collect(), marker))
    }

    pub(super) async fn list_virtual_devices(
        &self,
        call: &Call,
        input: ListVirtualDevices,
    ) -> Result<Output, ApiError> {
        self.authorize(call, &Resource::All).await?;
        let (which, filter) = match input.assignment {
            input::Assignment::Assigned => (Assignment::Assigned, "Assigned"),
            input::Assignment::Unassigned => (Assignment::Unassigned, "Unassigned"),
            input::Assignment::Any => (Assignment::Any, "Any"),
        };
        let account = call.identity.account();
        let start = self.start(call, filter, input.page.marker.as_deref())?;
        let start = start.map(serial_of).transpose()?;
        let limit = (input.page.max_items as usize).min(PAGE_MAX);
        let fetch = |after: Option<&Serial>, limit| self.engine.virtual_devices(account, which, after, limit);
        let devices = fetch(start.as_ref(), limit);
        let last = devices.last().map(|device| &device.serial);
        let more = devices.len() == limit && !fetch(last, 1).is_empty();
        let marker = self.marker(call, filter, last.filter(|_| more).map(Serial::as_str));
        let mut items = Vec::with_capacity(devices.len());
        for device in &devices {
            items.push(self.virtual_device_item(device).await?);
        }
        Ok(Output::VirtualDevices(items, marker))
    }

    async fn virtual_device_item(&self, device: &DeviceView) -> Result<VirtualDeviceItem, ApiError> {
        let owner: Option<UserView> = match &device.owner {
            Some(owner) => self.directory.principal(owner).await.map_err(|error| of_directory(&error, None))?,
            None => None,
        };
        let enabled_ms = device.enabled_at.unwrap_or(device.created_at).0;
        let assigned = owner.as_ref().map(|owner| (enabled_ms, user_item(owner)));
        Ok(VirtualDeviceItem { serial: device.serial.to_string(), assigned })
    }
}

/// R64, R111: every refused pair has one answer, whatever was wrong with it.
const fn proven(proof: Proof) -> Result<Output, ApiError> {
    if proof.is_accepted() { Ok(Output::Empty) } else { Err(ApiError::InvalidAuthenticationCode) }
}

/// A serial number that the constraints have passed; should the engine see it otherwise, no such
/// device can exist.
fn serial_of(text: &str) -> Result<Serial, ApiError> {
    Serial::new(text).map_err(|_| ApiError::NoSuchDevice(text.to_owned()))
}

fn pair_of(input: &DevicePair) -> Result<(Serial, Code, Code), ApiError> {
    let code = |code: &input::Code| Code::parse(&code.0).map_err(|_| ApiError::InvalidAuthenticationCode);
    Ok((serial_of(&input.serial)?, code(&input.code_1)?, code(&input.code_2)?))
}

/// A path that the constraints have passed.
pub(super) fn path_of(text: &str) -> Result<Path, ApiError> {
    Path::new(text).map_err(|error| ApiError::Validation(error.to_string()))
}

/// A name that the constraints have passed.
pub(super) fn name_of(text: &str) -> Result<DeviceName, ApiError> {
    DeviceName::new(text).map_err(|error| ApiError::Validation(error.to_string()))
}
