"""A reader of server-sent events, from the words of the standard (WHATWG HTML, section 9.2.6)."""

import attrs


@attrs.frozen
class ServerEvent:
    """An event as it is dispatched: the last event id by then, its type and its data."""

    id: str
    type: str
    data: str


@attrs.define
class EventStreamParser:
    """Takes the bytes of a stream as they come.

    `last_event_id` is what a client would send when it comes back; `comments` counts lines that
    say nothing.
    """

    last_event_id: str = ""
    retry: int | None = None
    comments: int = 0
    _rest: bytes = b""
    _id: str = ""
    _type: str = ""
    _data: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._id = self.last_event_id

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that are complete with this."""
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        return [event for line in lines if (event := self._take(line.decode()))]

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatched()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                self.comments += 1
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isdecimal():
                self.retry = int(value)
        return None

    def _dispatched(self) -> ServerEvent | None:
        self.last_event_id = self._id
        type_, self._type, data, self._data = self._type, "", self._data, []
        if not data:
            return None
        return ServerEvent(self.last_event_id, type_ or "message", "\n".join(data))
