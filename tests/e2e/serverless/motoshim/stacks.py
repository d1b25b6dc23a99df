"""How AWS changes a stack, where moto does it otherwise.

- An update makes a function's new code and configuration known before it publishes a version of it,
  and removes what is no longer in the template last.
- What is to be retained is retained, also when it leaves the template.
- A change set that is executed leaves the stack with the new template, outputs and tags.
- A change of nothing but metadata is no change.
- A resource that cannot be made ends the change, with an event that says why.
"""

from __future__ import annotations

import traceback
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack
from moto.cloudformation.parsing import OutputMap, ResourceMap

RETAINED = ("Retain", "RetainExceptOnCreate")

KEPT = ("Resources", "Outputs")


def install() -> None:
    ResourceMap.update = update
    ChangeSet.apply = apply
    CloudFormationBackend.execute_change_set = execute
    CloudFormationBackend.create_change_set = proposing(CloudFormationBackend.create_change_set)
    Stack.delete = deleting(Stack.delete)


def update(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    actions = self.build_resource_diff(template, parameters)
    before = self._resource_json_map
    self._template = template
    self.input_parameters = parameters or {}
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self._resource_json_map = template["Resources"]
    functions = [
        name for name in actions["Modify"] if template["Resources"][name]["Type"] == "AWS::Lambda::Function"
    ]
    for name in functions:
        modify(self, name)
    for name in actions["Add"]:
        self.failing = name
        _ = self[name]
    for name in actions["Modify"]:
        if name not in functions:
            modify(self, name)
    for name in actions["Remove"]:
        resource = self._parsed_resources.pop(name, None)
        if resource is not None and before[name].get("DeletionPolicy") not in RETAINED:
            self._delete_resource(resource, before[name])


def modify(self: Any, name: str) -> None:
    self.failing = name
    changed = parsing.parse_and_update_resource(
        name, self._resource_json_map[name], self, account_id=self._account_id, region_name=self._region_name
    )
    if changed is not None:
        self._parsed_resources[name] = changed


def apply(self: Any) -> None:
    stack = self.stack
    stack.resource_map.update(self.template_dict, self.parameters)
    stack.template, stack.template_dict, stack.parameters = self.template, self.template_dict, self.parameters
    stack.tags = self.tags or stack.tags
    stack.output_map = OutputMap(stack.resource_map, self.template_dict, stack.stack_id)


def execute(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change = self.describe_change_set(change_set_name)
    stack, kind = self.stacks[change.stack_id], change.change_set_type
    stack._add_stack_event(f"{kind}_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        change.apply()
    except Exception as error:
        traceback.print_exc()
        failing = getattr(stack.resource_map, "failing", "")
        stack.events.append(
            Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=failing,
                physical_resource_id="",
                resource_type=change.template_dict["Resources"].get(failing, {}).get("Type", ""),
                resource_status=f"{kind}_FAILED",
                resource_status_reason=getattr(error, "message", None) or str(error) or type(error).__name__,
                resource_properties=None,
            )
        )
        stack.status = "ROLLBACK_COMPLETE" if kind == "CREATE" else "UPDATE_ROLLBACK_COMPLETE"
        stack._add_stack_event(stack.status)
        return
    stack._add_stack_event(f"{kind}_COMPLETE")
    stack.status = f"{kind}_COMPLETE"
    change.execution_status = "EXECUTE_COMPLETE"


def proposing(original: Any) -> Any:
    def create_change_set(self: Any, **arguments: Any) -> tuple[str, str]:
        # moto would make a second stack of the name beside the empty one.
        for stack in list(self.stacks.values()):
            if stack.name == arguments["stack_name"] and stack.status == "REVIEW_IN_PROGRESS":
                del self.stacks[stack.stack_id]
        id, stack_id = original(self, **arguments)
        change, stack = self.change_sets[id], self.stacks[stack_id]
        unchanged = all(change.template_dict.get(key) == stack.template_dict.get(key) for key in KEPT)
        if arguments["change_set_type"] == "UPDATE" and unchanged and stack.parameters == change.parameters:
            change.status, change.execution_status = "FAILED", "UNAVAILABLE"
            change.status_reason = "The submitted information didn't contain changes."
        return id, stack_id

    return create_change_set


def deleting(original: Any) -> Any:
    def delete(self: Any) -> None:
        # moto retains what says Retain alone.
        for entry in self.resource_map._resource_json_map.values():
            if entry.get("DeletionPolicy") in RETAINED:
                entry["DeletionPolicy"] = "Retain"
        original(self)

    return delete
