"""Opens the controller that an action's target picks, with what they have in common: the broker, the mirror for Home Assistant."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from peephole.base.errors import ActuatorError
from peephole.gateway.actuators import Actuator, LogActuator, MqttActuator, RecordingActuator
from peephole.gateway.address import Address
from peephole.gateway.confirmed import ConfirmedActuator
from peephole.gateway.homeassistant import MirroredActuator, State, Thing
from peephole.gateway.keys import Action, opens
from peephole.gateway.mqtt import BrokerPlace, Messenger
from peephole.gateway.noticeboard import Noticeboard
from peephole.gateway.relaylink import RelayActuator, relay_program
from peephole.gateway.secret import read_secret
from peephole.gateway.targets import TIMEOUT
from peephole.gateway.webhook import WebhookActuator
from peephole.gateway.weburl import require_url

__all__ = ["Outputs"]

SECRET = 16  # letters at least: a webhook's secret is not meant to be remembered


@dataclass
class Outputs:
    """All that a gate's controllers share; relative paths begin at `folder`, `place` is the broker where there is one."""

    gate: str
    folder: Path
    place: BrokerPlace | None = None
    _messenger: Messenger | None = field(default=None, init=False)
    _board: Noticeboard | None = field(default=None, init=False)

    def open(self, name: str, action: Action, pulse: float | None) -> Actuator:
        """Return the controller of [action.NAME], on for `pulse` seconds; raises SettingsError, InputError, MissingExtra or ActuatorError."""
        address = Address.parse(action.target, ACTUATORS)
        return ACTUATORS[address.scheme](self, address, name, action, pulse)

    def close(self) -> None:
        """Say goodbye to the broker; the controllers are closed by whoever has them."""
        if self._board is not None:
            self._board.close()
        if self._messenger is not None:
            self._messenger.close()

    def broker(self, address: Address) -> BrokerPlace:
        """Return where the broker is; raises ActuatorError when none is named."""
        if self.place is None:
            raise ActuatorError(f"{address.text} needs a broker", "add [broker] with its url to DOOR.toml")
        return self.place

    def messenger(self, address: Address) -> Messenger:
        """Return what all commands go through."""
        if self._messenger is None:
            self._messenger = Messenger(self.broker(address), self.gate)
        return self._messenger

    def board(self, address: Address) -> Noticeboard:
        """Return what states are told and heard through."""
        if self._board is None:
            self._board = Noticeboard(self.broker(address), self.gate)
        return self._board

    def start(self) -> None:
        """Begin to tell and to hear states, once every controller is there."""
        if self._board is not None:
            self._board.start()


def _log(outputs: Outputs, address: Address, *_: object) -> Actuator:
    return LogActuator(address.path(outputs.folder) if address.place else None)


def _record(*_: object) -> Actuator:
    return RecordingActuator()


def _gpio(outputs: Outputs, address: Address, _: str, action: Action, pulse: float | None) -> Actuator:
    return RelayActuator(relay_program(address.text, action.safe, pulse or 0.0, outputs.folder), action.safe)


def _web(outputs: Outputs, address: Address, name: str, action: Action, _: float | None) -> Actuator:
    if action.secret is None:
        raise ActuatorError(f"[action.{name}] has no secret to sign with", 'add secret = {file = "webhook.secret"}')
    secret = read_secret(outputs.folder / action.secret.file, f"the secret of '{name}'", SECRET)
    return WebhookActuator(require_url(address.text), secret.encode(), action.timeout or TIMEOUT)


def _mqtt(outputs: Outputs, address: Address, name: str, action: Action, _: float | None) -> Actuator:
    discovery, state = address.take("discovery", "state")
    actuator: Actuator = MqttActuator(outputs.messenger(address), address.place)
    shown: list[MirroredActuator] = []

    def told(said: State) -> None:
        for mirrored in shown:
            mirrored.show(said)

    if state is not None:
        actuator = ConfirmedActuator(actuator, outputs.board(address), state, action.timeout or TIMEOUT, told)
    if discovery is not None:
        shown.append(MirroredActuator(actuator, Thing(outputs.gate, name, discovery, opens(name)), outputs.board(address)))
        return shown[0]
    return actuator


ACTUATORS: dict[str, Callable[[Outputs, Address, str, Action, float | None], Actuator]] = {
    "log": _log,
    "mqtt": _mqtt,
    "record": _record,
    "gpio": _gpio,
    "http": _web,
    "https": _web,
}
