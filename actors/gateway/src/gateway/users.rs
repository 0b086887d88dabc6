//! Operations on users and their access keys, as far as a server on its own needs them.

use super::devices::{name_of, path_of};
use super::refusal::of_directory;
use super::{Call, Gateway, user_item};
use crate::directory::{AccessKey, Resource, user_arn};
use crate::engine::{PAGE_MAX, UserView};
use crate::errors::ApiError;
use crate::wire::answer::{AccessKeyItem, Output};
use crate::wire::input::{AccessKeyInput, ByUser, CreateUser, DeleteAccessKey, ListUsers};

impl Gateway {
    pub(super) async fn create_user(&self, call: &Call, input: CreateUser) -> Result<Output, ApiError> {
        let account = call.identity.account();
        let (path, name) = (path_of(&input.path)?, name_of(&input.user_name)?);
        let arn = user_arn(account, &path, name.as_str());
        self.authorize(call, &Resource::Principal { id: None, arn }).await?;
        let made = self.directory.create_user(call.request.clone(), account, name, path).await;
        let user = made.map_err(|error| of_directory(&error, Some((&input.user_name, ""))))?;
        Ok(Output::User(user_item(&user)))
    }

    pub(super) async fn get_user(&self, call: &Call, input: ByUser) -> Result<Output, ApiError> {
        let user = self.subject(call, input.user_name.as_deref()).await?;
        Ok(Output::User(user_item(&user)))
    }

    pub(super) async fn delete_user(&self, call: &Call, input: ByUser) -> Result<Output, ApiError> {
        let user = match self.subject(call, input.user_name.as_deref()).await {
            Err(ApiError::NoSuchUser(_)) if self.has_deleted(call).await? => return Ok(Output::Empty),
            found => found?,
        };
        if !self.engine.devices(&user.id).is_empty() {
            // R76. Asked before the keys, and decided by the engine again when it removes the user.
            return Err(ApiError::UserHasDevice);
        }
        let gone = self.directory.delete_user(call.request.clone(), &user.id).await;
        gone.map(|()| Output::Empty).map_err(|error| of_directory(&error, Some((user.name.as_str(), ""))))
    }

    pub(super) async fn list_users(&self, call: &Call, input: ListUsers) -> Result<Output, ApiError> {
        let account = call.identity.account();
        let arn = format!("arn:aws:iam::{account}:user/");
        self.authorize(call, &Resource::Principal { id: None, arn }).await?;
        let filter = input.path_prefix.as_str();
        let mut after = self.start(call, filter, input.page.marker.as_deref())?.map(str::to_owned);
        let wanted = input.page.max_items as usize;
        // One more than wanted tells whether another page follows.
        let mut found: Vec<UserView> = Vec::new();
        while found.len() <= wanted {
            let page = self.directory.users(account, after.as_deref(), PAGE_MAX).await;
            let page = page.map_err(|error| of_directory(&error, None))?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.to_string());
            let room = wanted + 1 - found.len();
            found.extend(page.into_iter().filter(|user| user.path.as_str().starts_with(filter)).take(room));
        }
        let more = found.len() > wanted;
        found.truncate(wanted);
        let last = found.last().filter(|_| more).map(|user| user.name.as_str());
        let marker = self.marker(call, filter, last);
        Ok(Output::Users(found.iter().map(user_item).collect(), marker))
    }

    pub(super) async fn create_access_key(&self, call: &Call, input: AccessKeyInput) -> Result<Output, ApiError> {
        let user = self.named_subject(call, input.user_name.as_deref()).await?;
        let key = self.directory.create_access_key(call.request.clone(), &user.id).await;
        let key = key.map_err(|error| of_directory(&error, Some((user.name.as_str(), ""))))?;
        Ok(Output::AccessKey(key_item(&key, &user), key.secret))
    }

    pub(super) async fn list_access_keys(&self, call: &Call, input: AccessKeyInput) -> Result<Output, ApiError> {
        let user = self.named_subject(call, input.user_name.as_deref()).await?;
        let keys = self.directory.access_keys(&user.id).await;
        let keys = keys.map_err(|error| of_directory(&error, None))?;
        let filter = user.id.to_string();
        let start = self.start(call, &filter, input.page.marker.as_deref())?;
        let from = match start {
            Some(id) => keys.iter().position(|key| key.id == id).map_or(keys.len(), |at| at + 1),
            None => 0,
        };
        let left = keys.get(from..).unwrap_or_default();
        let page = &left[..left.len().min(input.page.max_items as usize)];
        let last = (page.len() < left.len()).then(|| page.last()).flatten();
        let marker = self.marker(call, &filter, last.map(|key| key.id.as_str()));
        Ok(Output::AccessKeys(page.iter().map(|key| key_item(key, &user)).collect(), marker))
    }

    pub(super) async fn delete_access_key(&self, call: &Call, input: DeleteAccessKey) -> Result<Output, ApiError> {
        let user = self.named_subject(call, input.user_name.as_deref()).await?;
        let about = Some((user.name.as_str(), input.access_key_id.as_str()));
        let gone = self.directory.delete_access_key(call.request.clone(), &user.id, &input.access_key_id).await;
        gone.map(|()| Output::Empty).map_err(|error| of_directory(&error, about))
    }

    async fn has_deleted(&self, call: &Call) -> Result<bool, ApiError> {
        self.directory.has_deleted(&call.request).await.map_err(|error| of_directory(&error, None))
    }

    /// A subject that is a user: the root user's keys are not managed here.
    async fn named_subject(&self, call: &Call, name: Option<&str>) -> Result<UserView, ApiError> {
        let user = self.subject(call, name).await?;
        if user.id.is_root() {
            return Err(ApiError::NoSuchUser(user.name.to_string()));
        }
        Ok(user)
    }
}

fn key_item(key: &AccessKey, user: &UserView) -> AccessKeyItem {
    AccessKeyItem { user_name: user.name.to_string(), id: key.id.clone(), created_ms: key.created_at.0 }
}
