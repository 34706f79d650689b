"""Which record is the content of which request, by its Jupyter message type."""

from __future__ import annotations

from modal_nb.protocol import containers as ct
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.protocol.opening import AppOpen

REQUESTS: dict[str, type[ms.Content]] = {
    "app_open_request": AppOpen,
    "app_stop_request": ms.AppStop,
    "pool_open_request": ms.PoolOpen,
    "class_declare_request": ms.ClassDeclare,
    "class_ask_request": ms.ClassAsk,
    "app_inside_request": ms.AppInside,
    "autoscaler_update_request": ms.AutoscalerUpdate,
    "pool_stats_request": ms.PoolAsk,
    "container_stop_request": ms.ContainerStop,
    "container_ask_request": ms.ContainerAsk,
    "containers_request": ct.ContainersAsk,
    "wait_request": ct.WaitAsk,
    "watch_request": ms.WatchAsk,
    "status_request": ms.StatusAsk,
    "supervisor_stop_request": ms.SupervisorStop,
    "deploy_key_request": dp.DeployKeyAsk,
    "deploy_request": dp.Deploy,
    "deployed_apps_request": dp.DeployedAppsAsk,
    "deployed_app_stop_request": dp.DeployedAppStop,
    "environment_create_request": dp.EnvironmentCreate,
    "environments_request": dp.EnvironmentsAsk,
    "class_lookup_request": dp.ClassLookup,
    "call_ask_request": dp.CallAsk,
    "call_list_request": dp.CallListAsk,
    "call_cancel_request": dp.CallCancel,
    "object_find_request": ob.ObjectFind,
    "object_create_request": ob.ObjectCreate,
    "object_delete_request": ob.ObjectDelete,
    "objects_request": ob.ObjectsAsk,
    "dict_get_request": ob.DictGet,
    "dict_has_request": ob.DictHas,
    "dict_pop_request": ob.DictPop,
    "dict_put_request": ob.DictPut,
    "dict_len_request": ob.DictLen,
    "dict_clear_request": ob.DictClear,
    "dict_page_request": ob.DictPageAsk,
    "queue_put_request": ob.QueuePut,
    "queue_get_request": ob.QueueGet,
    "queue_cancel_request": ob.QueueCancel,
    "queue_len_request": ob.QueueLen,
    "queue_clear_request": ob.QueueClear,
    "queue_page_request": ob.QueuePageAsk,
}
MSG_TYPES = {record: msg_type for msg_type, record in REQUESTS.items()}
