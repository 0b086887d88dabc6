"""Security keys that exist only in the browser: Chromium's virtual authenticators."""

import base64
from dataclasses import dataclass

from selenium.webdriver.common.virtual_authenticator import Protocol, Transport, VirtualAuthenticatorOptions

from .browser import Browser

CTAP2 = Protocol.CTAP2
U2F = Protocol.U2F
RELYING_PARTY = "localhost"


@dataclass
class Credential:
    """A credential as the key keeps it."""

    id: str
    private_key: str
    resident: bool
    sign_count: int
    user_handle: str | None = None


class Key:
    """A key that is plugged into a browser."""

    def __init__(self, browser: Browser, protocol: str = CTAP2, *, passkey: bool = False, verifies: bool = False,
                 touched: bool = True):
        """`passkey`: it keeps credentials and is part of the device; `verifies`: it knows its owner, say by PIN;
        `touched`: the owner touches it when it blinks."""
        self.browser = browser
        options = VirtualAuthenticatorOptions(
            protocol=protocol,
            transport=Transport.INTERNAL if passkey else Transport.USB,
            has_resident_key=passkey,
            has_user_verification=verifies or passkey,
            is_user_consenting=touched,
            is_user_verified=verifies or passkey,
        )
        browser.driver.add_virtual_authenticator(options)
        # Selenium's own methods serve the newest key alone; a person may have two.
        self.id = browser.driver.virtual_authenticator_id

    def _does(self, command: str, **parameters):
        return self.browser.command(f"WebAuthn.{command}", authenticatorId=self.id, **parameters)

    def credentials(self) -> list[Credential]:
        """What is registered on it."""
        return [
            Credential(kept["credentialId"], kept["privateKey"], kept["isResidentCredential"], kept["signCount"],
                       kept.get("userHandle"))
            for kept in self._does("getCredentials")["credentials"]
        ]

    def counters(self) -> list[int]:
        """How often each credential has signed."""
        return [credential.sign_count for credential in self.credentials()]

    def put(self, credential: Credential, sign_count: int | None = None) -> None:
        """Puts a credential on it, as who copied another key would; `sign_count` as it was when it was copied."""
        wanted = {
            "credentialId": credential.id,
            "privateKey": credential.private_key,
            "isResidentCredential": credential.resident,
            "rpId": RELYING_PARTY,
            "signCount": credential.sign_count if sign_count is None else sign_count,
        }
        if credential.user_handle:
            wanted["userHandle"] = credential.user_handle
        self._does("addCredential", credential=wanted)

    def rewind(self, sign_count: int) -> None:
        """Its only credential has signed less often than it did: a copy of the key."""
        (credential,) = self.credentials()
        self._does("removeCredential", credentialId=credential.id)
        self.put(credential, sign_count)

    def forget(self) -> None:
        """Takes every credential off it."""
        self._does("clearCredentials")

    def spoil(self, *, signature: bool = False, verified: bool = False, present: bool = False) -> None:
        """Makes its next answers wrong: the signature, or the bit that says who or that somebody was there."""
        self._does("setResponseOverrideBits", isBogusSignature=signature, isBadUV=verified, isBadUP=present)

    def touch(self, touched: bool) -> None:
        """Whether its owner touches it when it blinks."""
        self._does("setAutomaticPresenceSimulation", enabled=touched)

    def knows_owner(self, knows: bool) -> None:
        """Whether it recognises who uses it."""
        self._does("setUserVerified", isUserVerified=knows)

    def unplug(self) -> None:
        """Takes it out."""
        self._does("removeVirtualAuthenticator")


def padded(text: str) -> bytes:
    """The bytes of Base64 as browsers write it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
