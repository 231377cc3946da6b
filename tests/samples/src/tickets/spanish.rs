//! Spanish phrases.

use super::phrases::{CausePhrases, PhraseBook};
use super::{Cause, PiiKind};

pub(super) static BOOK: PhraseBook = PhraseBook {
    greetings: &["[Hola|Buenos días|Buenas tardes],", "Estimado equipo:", "Hola, equipo de soporte:"],
    closings: &["[Gracias|Muchas gracias] de antemano,", "[Un saludo|Saludos cordiales|Atentamente],"],
    causes: &[
        CausePhrases {
            cause: Cause::Outage,
            subjects: &["{product} [no funciona|está caído]", "[Caída|Fallo] de {feature} desde las {time}"],
            openings: &[
                "Desde las {time} [nadie puede|no podemos] entrar en {product}, aparece {error}.",
                "{feature} [no responde|está caído] para [todos|nuestros {count} usuarios].",
            ],
            details: &[
                "La página [se queda en blanco|no carga].",
                "Con otra red [pasa lo mismo|tampoco funciona].",
                "Su página de estado [dice que todo va bien|no muestra nada].",
            ],
        },
        CausePhrases {
            cause: Cause::Performance,
            subjects: &["{feature} va [muy lento|lentísimo]", "Lentitud en {product}"],
            openings: &[
                "{feature} tarda más de {count} segundos en abrirse [desde {day}|últimamente].",
                "Todo va [muy lento|lentísimo], sobre todo a las {time}.",
            ],
            details: &[
                "La semana pasada iba [bien|rápido].",
                "Probé con {browser} y [nada|es igual].",
                "Los informes grandes terminan con {error}.",
            ],
        },
        CausePhrases {
            cause: Cause::Login,
            subjects: &["No puedo [entrar|iniciar sesión]", "Cuenta bloqueada"],
            openings: &[
                "No puedo [iniciar sesión|entrar en mi cuenta] desde {day}.",
                "Mi cuenta está bloqueada y el correo para restablecer la contraseña [no llega|nunca llega].",
            ],
            details: &[
                "Tampoco está en la carpeta de spam.",
                "El código del móvil [no es aceptado|no funciona].",
                "Lo intenté {count} veces con {browser}.",
            ],
        },
        CausePhrases {
            cause: Cause::Bug,
            subjects: &["Error {error} en {feature}", "{feature} [se cierra|muestra datos incorrectos]"],
            openings: &[
                "Hay un error en {feature}: al guardar aparece {error}.",
                "Desde la última actualización los totales de {feature} no cuadran, faltan {amount}.",
            ],
            details: &[
                "Ocurre [siempre|una de cada tres veces].",
                "Una compañera [ve lo mismo|puede reproducirlo].",
                "Después se pierden los datos.",
            ],
        },
        CausePhrases {
            cause: Cause::Integration,
            subjects: &["La API devuelve {error}", "Los webhooks [no llegan|dejaron de llegar]"],
            openings: &[
                "Nuestra integración con su API falla con {error} desde {day}.",
                "Los webhooks llegan [dos veces|con horas de retraso].",
            ],
            details: &[
                "No cambiamos nada de nuestro lado.",
                "En el entorno de pruebas [funciona|va bien].",
                "Por favor, revisen la petición {order}.",
            ],
        },
        CausePhrases {
            cause: Cause::Billing,
            subjects: &["[Cobro doble|Factura incorrecta] {order}", "Duda sobre la factura {order}"],
            openings: &[
                "Me cobraron {amount} [dos veces|por duplicado] en la factura {order}.",
                "La factura {order} no coincide con el plan {plan}.",
            ],
            details: &[
                "Contabilidad [no la acepta|necesita una corrección].",
                "El NIF de la factura [está mal|es antiguo].",
                "Envíen una factura [corregida|rectificativa], por favor.",
            ],
        },
        CausePhrases {
            cause: Cause::Refund,
            subjects: &["[Reembolso|Devolución] de {order} pendiente", "¿Dónde está mi reembolso?"],
            openings: &[
                "Devolví el artículo ({item}) del pedido {order} y [sigo sin|no he recibido el] reembolso de {amount}.",
            ],
            details: &["El seguimiento dice que [llegó|fue entregado].", "Solo me devolvieron una parte."],
        },
        CausePhrases {
            cause: Cause::Shipping,
            subjects: &["¿Dónde está mi pedido {order}?", "Paquete [perdido|retenido]"],
            openings: &[
                "Mi pedido {order} ({item}) tenía que llegar {day} y [no ha llegado|nada].",
                "El seguimiento de {order} no cambia desde {day}.",
            ],
            details: &[
                "Estuve en casa [todo el día|todo el tiempo].",
                "Es un regalo.",
                "La dirección [es correcta|está bien].",
            ],
        },
        CausePhrases {
            cause: Cause::Damaged,
            subjects: &["{item} [roto|dañado]", "Artículo equivocado en {order}"],
            openings: &["El artículo ({item}) del pedido {order} llegó [roto|dañado|rayado]."],
            details: &["La caja estaba [aplastada|mojada].", "Puedo enviar fotos.", "Prefiero un cambio."],
        },
        CausePhrases {
            cause: Cause::PaymentDeclined,
            subjects: &["Pago [rechazado|fallido]", "No puedo pagar {order}"],
            openings: &[
                "Mi tarjeta es rechazada [cada vez|siempre] al pagar {order}.",
                "El pago de {amount} figura como fallido, pero el dinero [salió|ya no está] de mi cuenta.",
            ],
            details: &["El banco dice que [todo está bien|lo aprobó].", "Lo intenté {count} veces."],
        },
        CausePhrases {
            cause: Cause::Fraud,
            subjects: &["Cargo [desconocido|no autorizado] de {amount}", "Me han hackeado la cuenta"],
            openings: &[
                "Hay un cargo de {amount} en mi cuenta que [no reconozco|no hice].",
                "Alguien entró en mi cuenta a las {time}, [no fui yo|no era yo].",
            ],
            details: &["Bloqueen la tarjeta [ya|de inmediato], por favor.", "Ya puse una denuncia."],
        },
        CausePhrases {
            cause: Cause::Transfer,
            subjects: &["Transferencia de {amount} [no llega|perdida]", "Transferencia retenida"],
            openings: &[
                "Envié {amount} {day} y [no ha llegado|el destinatario no lo ve].",
                "Mi transferencia sigue en revisión desde {day}.",
            ],
            details: &["La referencia es {order}.", "Es el alquiler, [por favor dense prisa|es importante]."],
        },
        CausePhrases {
            cause: Cause::HowTo,
            subjects: &["¿Cómo [exporto|configuro] {feature}?", "[Duda|Consulta] sobre {feature}"],
            openings: &[
                "¿Cómo puedo [compartir|configurar] {feature} para varios usuarios?",
                "¿Hay una guía de {feature}?",
            ],
            details: &[
                "En la ayuda solo encontré la versión antigua.",
                "Somos {count} personas.",
                "No hay prisa.",
            ],
        },
        CausePhrases {
            cause: Cause::FeatureRequest,
            subjects: &["[Sugerencia|Idea]: {feature}", "Propuesta de mejora"],
            openings: &[
                "Sería [genial|muy útil] poder filtrar {feature} por etiqueta.",
                "Usamos {product} a diario y solo falta [un modo oscuro|poder deshacer].",
            ],
            details: &["Nos ahorraría {count} minutos al día.", "Con gusto pruebo una beta."],
        },
        CausePhrases {
            cause: Cause::Cancellation,
            subjects: &["Cancelar [suscripción|plan] {plan}", "Borrar mi cuenta"],
            openings: &[
                "Quiero cancelar mi suscripción {plan} [desde {day}|cuanto antes].",
                "Por favor, borren mi cuenta y todos mis datos.",
            ],
            details: &["Confirmen por escrito, por favor.", "El botón de cancelar [no funciona|da {error}]."],
        },
    ],
    details: &[
        "Tenemos el plan {plan}.",
        "El número de pedido es {order}.",
        "Ya escribí {day} y [nadie respondió|no tuve respuesta].",
        "Díganme si necesitan más datos.",
        "Soy cliente desde hace [años|{count} meses].",
        "Fue a las {time}.",
        "El chat no [ayudó|sirvió de nada].",
        "Navegador: {browser}.",
        "Por lo demás, {feature} [está bien|funciona bien].",
    ],
    urgency: [
        &["No es urgente.", "Sin prisa."],
        &["Por favor, [revísenlo|échenle un vistazo] esta semana."],
        &["Lo necesitamos [hoy|para mañana].", "Es urgente, un cliente [espera|está esperando]."],
        &[
            "Es una emergencia, [estamos parados|no podemos trabajar].",
            "Actúen de inmediato, cada minuto cuesta dinero.",
        ],
    ],
    mood: [
        &["Por cierto, [me encanta|nos gusta mucho] {product}, ¡gracias!"],
        &["Espero que [quede claro|se entienda].", "Quedo a la espera."],
        &["Estoy [preocupado|algo preocupada] por mis datos."],
        &["La verdad, esto es [frustrante|molesto], es la segunda vez."],
        &[
            "Esto es [inaceptable|una vergüenza], estoy [harto|furiosa].",
            "El peor servicio que he visto, quiero mi dinero [ya|de vuelta].",
        ],
    ],
    pii: &[
        (PiiKind::Email, &["Me pueden escribir a {}.", "La cuenta está a nombre de {}."]),
        (PiiKind::Phone, &["Mi teléfono es {}.", "Llámenme al {}."]),
        (PiiKind::PaymentCard, &["Pagué con la tarjeta {}.", "El número de tarjeta es {}."]),
        (PiiKind::Iban, &["Hagan la transferencia al IBAN {}.", "Mi cuenta es {}."]),
        (PiiKind::IpV4, &["Nuestra dirección IP es {}.", "Las peticiones salen de {}."]),
        (PiiKind::IpV6, &["Nuestra IPv6 es {} ."]),
        (PiiKind::CredentialUrl, &["Nos conectamos con {} ."]),
        (PiiKind::ApiKey, &["La clave de API es {} ."]),
        (PiiKind::DateOfBirth, &["Mi fecha de nacimiento es {}.", "Nací el {}."]),
        (PiiKind::Passport, &["Mi número de pasaporte es {}.", "Pasaporte n.º {}."]),
    ],
    items: &["auriculares", "zapatillas", "cafetera", "mochila", "chaqueta", "aspiradora"],
    features: &[
        "el panel",
        "los informes",
        "la bandeja de entrada",
        "la exportación",
        "la aplicación",
        "el buscador",
    ],
    days: &["el lunes", "el martes", "ayer", "la semana pasada", "el día 14"],
    steps_heading: "Pasos para reproducirlo:",
    steps: &[
        "Entrar y abrir {feature}.",
        "Pulsar [guardar|exportar].",
        "Esperar hasta que salga {error}.",
        "Recargar en {browser}.",
    ],
    log_heading: "De nuestro registro:",
    quote_heading: "El lunes {} escribió:",
    quotes: &[
        "Gracias por contactarnos, hemos recibido su solicitud {order}.",
        "Lamentamos las molestias y lo hemos pasado al equipo.",
        "Por favor, borre la caché e inicie sesión de nuevo.",
    ],
};
